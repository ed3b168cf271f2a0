"""The pages are true: their code runs, their references are current, the site builds."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from .docs_blocks import ROOT, blocks

PAGES = sorted([*ROOT.glob("docs/**/*.md")])
WITH_CODE = [page for page in PAGES if any(b.language == "python" and not b.title for b in blocks(page))]


def page_id(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", WITH_CODE, ids=page_id)
def test_python_of_page_runs(page: Path, tmp_path: Path) -> None:
    python = [block for block in blocks(page) if block.language == "python"]
    for block in python:
        if block.title:
            (tmp_path / block.title).write_text(block.code)
    program = tmp_path / "page_program.py"
    program.write_text("\n".join(block.code for block in python if not block.title))
    run = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning:bentoml", program.name],
        cwd=tmp_path,
        env={**os.environ, "BENTOML_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_every_concept_page_has_code() -> None:
    explained_in_words = {"docs/concepts/server.md"}
    concepts = {page_id(page) for page in PAGES if page.parent.name == "concepts"}
    assert concepts - explained_in_words == {page_id(p) for p in WITH_CODE if p.parent.name == "concepts"}


def test_generated_references_are_current() -> None:
    run = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "generate_reference.py"), "--check"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.skipif(find_spec("material") is None, reason="mkdocs-material is not installed")
def test_site_builds_without_a_warning(tmp_path: Path) -> None:
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "mkdocs",
            "build",
            "--strict",
            "--site-dir",
            str(tmp_path / "site"),
        ],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_readme_is_short_and_starts_with_code() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len(lines) <= 150
    assert next(number for number, line in enumerate(lines, 1) if line.startswith("```python")) < 30


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md", "examples/README.md"])
def test_links_of_top_pages_lead_somewhere(name: str) -> None:
    page = ROOT / name
    links = re.findall(r"\]\(([^)#]+)", page.read_text())
    dead = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert dead == []


def test_readme_names_every_extra_for_users() -> None:
    pyproject = (ROOT / "pyproject.toml").read_text()
    table = pyproject.partition("[project.optional-dependencies]")[2].partition("# What working on")[0]
    extras = re.findall(r"^([a-z0-9]+) = \[", table, re.MULTILINE)
    assert extras
    readme = (ROOT / "README.md").read_text()
    assert [extra for extra in extras if f"`{extra}`" not in readme] == []
