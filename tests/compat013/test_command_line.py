"""The command lines that were given to the real 0.13.1, in a home it wrote, give the same here."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from .cases import Run, cli_cases
from .compare import canonical, says_more
from .differences import difference_of
from .home import install_home
from .record import run_cli
from .rows import read_rows
from .test_recorded import environment

RECORDED = {row["id"]: row["answer"] for row in read_rows("cli")}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install_home(tmp_path_factory.mktemp("compat013") / "home")


def documents(text: str, kind: str) -> list[Any]:
    """Every record of a listing: documents one after the other (0.13) or one list (here)."""
    if kind == "yaml":
        starts = re.split(r"^(?=name: )", text, flags=re.M) if text.startswith("name: ") else [text]
        values = [yaml.safe_load(part) for part in starts if part.strip()]
    else:
        values = list(_json_documents(text))
    return [item for value in values for item in (value if isinstance(value, list) else [value])]


def _json_documents(text: str) -> Iterator[Any]:
    position = 0
    while text[position:].strip():
        position += len(text[position:]) - len(text[position:].lstrip())
        value, position = json.JSONDecoder().raw_decode(text, position)
        yield value


def table(text: str) -> tuple[list[str], list[list[str]]]:
    """Header words and, for every record, its cells without the age; labels as a set in one cell."""
    lines = [line for line in text.splitlines() if line.strip()]
    header = lines[0].split()
    starts = [lines[0].index(word) for word in header]
    records: list[list[str]] = []
    for line in lines[1:]:
        ends = [*starts[1:], None]
        cells = [line[a:b].strip() for a, b in zip(starts, ends, strict=True)]
        if cells[0]:
            records.append(cells)
        else:
            records[-1] = [" ".join((old, new)).strip() for old, new in zip(records[-1], cells, strict=True)]
    return header, [_row(header, record) for record in records]


def _row(header: list[str], cells: list[str]) -> list[str]:
    """The cells without the age; labels and artifacts in one order."""
    shown = []
    for title, cell in zip(header, cells, strict=True):
        if title != "AGE":
            shown.append(" ".join(sorted(cell.split())) if title in ("LABELS", "ARTIFACTS") else cell)
    return shown


def same_lines(theirs: list[str], ours: list[str]) -> bool:
    """Line by line: JSON as values, error texts by the rule of `says_more`."""
    if len(theirs) != len(ours):
        return False
    pairs = zip(theirs, ours, strict=True)
    return all(canonical(a.encode()) == canonical(b.encode()) or says_more(a, b) for a, b in pairs)


def stdout_problem(argv: tuple[str, ...], theirs: str, ours: str) -> str | None:
    """What is wrong with the output, given that its exact form may differ where this says so."""
    kind = argv[argv.index("-o") + 1] if "-o" in argv else None
    if argv[0] in ("list", "get") and "--print-location" not in argv:
        if argv[0] == "get" and ":" in argv[1]:
            kind = kind or "json"
        if kind in ("json", "yaml"):
            same = documents(theirs, kind) == documents(ours, kind)
        else:
            same = not theirs or table(theirs) == table(ours)
    elif argv[0] == "open-api-spec":
        expected, got = json.loads(theirs), json.loads(ours)
        same = all(
            set(methods) <= set(got["paths"].get(path, ())) for path, methods in expected["paths"].items()
        )
    elif argv[0] == "info":
        same = canonical(theirs.encode()) == canonical(ours.encode())
    else:
        same = same_lines(theirs.splitlines(), ours.splitlines())
    return None if same else f"stdout {ours[:600]!r} instead of {theirs[:600]!r}"


@pytest.mark.parametrize("run", cli_cases(), ids=lambda run: run.id)
def test_command_lines_answer_as_recorded(run: Run, home: Path) -> None:
    theirs = RECORDED[run.id]
    ours = run_cli([sys.executable, "-m", "bentoml"], run, home, environment(home))
    assert ours["code"] == theirs["code"], ours
    if difference_of(run.id) is None or run.argv[0] != "run":
        assert stdout_problem(run.argv, theirs["stdout"], ours["stdout"]) is None
        if theirs["stderr_last"].startswith("Error: bentoml-cli"):
            expected, got = theirs["stderr_last"], ours["stderr_last"]
            assert expected == got or says_more(expected, got)
