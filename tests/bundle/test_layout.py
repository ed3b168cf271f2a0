"""The files of a saved bundle, by name and content."""

from __future__ import annotations

import ast
import json
import os
import sys
import textwrap
from pathlib import Path

import pytest

from bentoml import __version__
from bentoml.bundle.descriptor import read_descriptor
from bentoml.bundle.layout import BundleLayout
from bentoml.exceptions import BentoMLException

from .projects import ECHO_SERVICE, Project, SavedBundle

WHEEL = f"bentoml-{__version__}-py3-none-any.whl"
EVERY_BUNDLE = {
    ".dockerignore",
    "Dockerfile",
    "MANIFEST.in",
    "README.md",
    "bentoml-init.sh",
    "bentoml.yml",
    "bentoml_bundle_build.py",
    "bundle-manifest.json",
    "bundle-package.json",
    f"bundled_pip_dependencies/{WHEEL}",
    "docker-entrypoint.sh",
    "docs.json",
    "conda-environment.yml",
    "environment.yml",
    "pyproject.toml",
    "python_version",
    "requirements.txt",
    "setup.py",
}


def files_of(path: Path) -> set[str]:
    return {f.relative_to(path).as_posix() for f in path.rglob("*") if f.is_file()}


def test_golden_list_of_a_bundle_without_artifacts(saved_echo: SavedBundle) -> None:
    assert files_of(saved_echo.path) == EVERY_BUNDLE | {
        "Echo/__init__.py",
        "Echo/bentoml.yml",
        "Echo/echo.py",
    }
    assert (saved_echo.package / "artifacts").is_dir()
    assert (saved_echo.package / "zipimports").is_dir()


def test_golden_list_of_a_bundle_with_artifacts_and_script(saved_marked: SavedBundle) -> None:
    assert files_of(saved_marked.path) == EVERY_BUNDLE | {
        "setup.sh",
        "Marked/__init__.py",
        "Marked/bentoml.yml",
        "Marked/marked.py",
        "Marked/artifacts/model.pkl",
        "Marked/artifacts/notes.txt",
    }


def test_small_files(saved_marked: SavedBundle) -> None:
    root = saved_marked.path
    assert (root / "bentoml.yml").read_bytes() == (root / "Marked/bentoml.yml").read_bytes()
    assert (root / "requirements.txt").read_text() == f"./bundled_pip_dependencies/{WHEEL}"
    assert (root / "environment.yml").read_text() == "name: bentoml-default-conda-env\ndependencies: []\n"
    assert (root / "python_version").read_text() == ".".join(map(str, sys.version_info[:3]))
    assert (root / "setup.sh").read_text() == "#!/bin/sh\necho ready\n"
    for script in ("setup.sh", "docker-entrypoint.sh", "bentoml-init.sh"):
        assert os.access(root / script, os.X_OK), script


def test_readme_has_title_notice_and_docstring(saved_marked: SavedBundle) -> None:
    lines = (saved_marked.path / "README.md").read_text().splitlines()
    assert lines[0] == "# Generated BentoService bundle - Marked:1.0_A"
    assert "Do not edit" in lines[2]
    assert lines[-3:] == ["Leaves a mark when it is imported.", "", "Indented here."]


def test_openapi_document_is_indented_by_two(saved_echo: SavedBundle) -> None:
    text = (saved_echo.path / "docs.json").read_text()
    document = json.loads(text)
    assert document["info"]["title"] == "Echo"
    assert document["info"]["version"] == "2"
    assert text.splitlines()[1].startswith('  "')


def test_generated_python_is_valid(saved_echo: SavedBundle) -> None:
    for name in ("setup.py", "bentoml_bundle_build.py", "Echo/__init__.py"):
        ast.parse((saved_echo.path / name).read_text())


def test_layout_of_saved_and_installed_shape(saved_marked: SavedBundle) -> None:
    saved = BundleLayout(saved_marked.path, "Marked")
    assert saved.package == saved_marked.package
    assert saved.artifacts == saved_marked.package / "artifacts"
    installed = BundleLayout(saved_marked.package, "Marked")
    assert installed.is_installed_package
    assert installed.package == saved_marked.package
    assert installed.artifacts == saved_marked.package / "artifacts"


def test_saving_writes_no_byte_code_and_no_absolute_path(saved_marked: SavedBundle) -> None:
    assert not list(saved_marked.path.rglob("__pycache__"))
    texts = [f for f in saved_marked.path.rglob("*") if f.is_file() and f.suffix not in (".whl", ".pkl")]
    for file in texts:
        assert str(saved_marked.path.parent) not in file.read_text("utf-8"), file


def test_save_to_dir_says_where(project: Project) -> None:
    project.write(**{"echo.py": ECHO_SERVICE})
    script = """
    import os
    from echo import Echo
    svc = Echo(); svc.set_version("3")
    os.mkdir("out"); os.mkdir("quiet")
    svc.save_to_dir("out")
    import bentoml
    bentoml.save_to_dir(svc, "quiet", version="4", silent=True)
    """
    done = project.run(script)
    lines = (done.stdout + done.stderr).strip().splitlines()
    assert [line.partition(" - ")[2] for line in lines if "created at" in line] == [
        "BentoService bundle 'Echo:3' created at: out"
    ]
    assert read_descriptor(project.path / "quiet").version == "4"


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        ("pass", "Directory 'out' not found"),
        ("os.makedirs('out/Echo')", "Existing module file found for BentoService Echo"),
        ("os.makedirs('out/other')", "Directory 'out' is not empty: it holds 'other'"),
    ],
)
def test_target_that_cannot_be_used(project: Project, prepare: str, message: str) -> None:
    project.write(**{"echo.py": ECHO_SERVICE})
    script = f"""
    import os
    from echo import Echo
    import bentoml
    {prepare}
    try:
        Echo().save_to_dir("out")
    except bentoml.exceptions.BentoMLException as err:
        print(type(err).__name__, err)
    """
    done = project.run("import bentoml.exceptions\n" + textwrap.dedent(script))
    assert done.stdout.startswith(f"BentoMLException {message}")


def test_failed_save_leaves_the_directory_empty(project: Project) -> None:
    project.write(**{"echo.py": ECHO_SERVICE})
    script = """
    import os, bentoml.exceptions
    from echo import Echo
    svc = Echo()
    svc.env.requirements_txt_file = "nowhere.txt"
    os.mkdir("out")
    try:
        svc.save_to_dir("out")
    except bentoml.exceptions.BentoMLException as err:
        print(err, os.listdir("out"))
    """
    assert "requirements_txt_file 'nowhere.txt' does not exist" in project.run(script).stdout
    assert list((project.path / "out").iterdir()) == []


def test_only_services_are_saved(tmp_path: Path) -> None:
    from bentoml.bundle.save import save_to_dir, write_bundle

    for save in (save_to_dir, write_bundle):
        with pytest.raises(BentoMLException, match="save_to_dir only works with instances of custom"):
            save("not a service", tmp_path)  # type: ignore[arg-type]


def test_class_typed_into_an_interpreter_is_refused(project: Project) -> None:
    done = project.python("-c", ECHO_SERVICE + "\nEcho().save_to_dir('.')\n", check=False)
    assert done.returncode != 0
    assert "interactive session" in done.stderr
    assert "Write the class to a file" in done.stderr
