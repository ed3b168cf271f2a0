"""`pip install <bundle>`: today's pip, a fresh environment, no index in reach."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.version import Version

import bentoml
from bentoml import __version__
from bentoml.bundle.own_wheel import build_own_wheel, wheel_name
from bentoml.bundle.packaging import PackageSpec, distribution_name, package_init_text, pep440_version
from bentoml.exceptions import InvalidArgument
from bentoml.tags import validate_version

from .projects import Project, SavedBundle


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("20210926174550_16DCF9", "0+20210926174550.16dcf9"),
        ("1.2.20210926174550_16DCF9", "0+1.2.20210926174550.16dcf9"),
        ("1.2.3", "1.2.3"),
        ("1.0-rc1", "0+1.0.rc1"),
        ("1.0_A", "0+1.0.a"),
        ("1.0rc1", "1.0rc1"),
        ("1.0.0+build.5", "1.0.0+build.5"),
        ("A--.b", "0+a.b"),
        ("x", "0+x"),
    ],
)
def test_pep440_version(version: str, expected: str) -> None:
    assert pep440_version(version) == expected


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,40}", fullmatch=True))
def test_every_version_of_the_grammar_has_a_pep440_form(version: str) -> None:
    try:
        validate_version(version)
    except InvalidArgument:
        return
    mapped = pep440_version(version)
    assert str(Version(mapped)) == mapped


@pytest.mark.parametrize(("name", "expected"), [("Svc", "Svc"), ("_Svc_", "Svc"), ("__", "bento-service")])
def test_distribution_name(name: str, expected: str) -> None:
    assert distribution_name(name) == expected


def build(bundle: Path, target: Path, hook: str = "build_wheel") -> str:
    """Call the bundle's own build backend the way pip does, in another interpreter without packages."""
    target.mkdir(exist_ok=True)
    script = "import sys; sys.path.insert(0, '.'); import bentoml_bundle_build as backend; "
    script += f"print(backend.{hook}({str(target)!r}))"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", script], cwd=bundle, capture_output=True, text=True
    )
    if done.returncode:
        raise AssertionError(done.stderr)
    return done.stdout.strip()


def test_wheel_of_a_bundle(saved_marked: SavedBundle, tmp_path: Path) -> None:
    name = build(saved_marked.path, tmp_path / "dist")
    assert name == "Marked-0+1.0.a-py3-none-any.whl"
    with zipfile.ZipFile(tmp_path / "dist" / name) as wheel:
        names = wheel.namelist()
        record = wheel.read("Marked-0+1.0.a.dist-info/RECORD").decode().splitlines()
        metadata = wheel.read("Marked-0+1.0.a.dist-info/METADATA").decode()
    assert {line.split(",")[0] for line in record} == set(names)
    assert {"Marked/artifacts/model.pkl", "Marked/bentoml.yml", "Marked/bundle-manifest.json"} <= set(names)
    assert "# Generated BentoService bundle - Marked:1.0_A" in metadata
    required = [
        Requirement(line.partition(": ")[2]) for line in metadata.splitlines() if "Requires-Dist" in line
    ]
    assert [r.name for r in required] == ["bentoml"]
    assert re.fullmatch(
        rf"file:///.*/bundled_pip_dependencies/{re.escape(wheel_name())}#sha256=[0-9a-f]{{64}}",
        required[0].url or "",
    )


def test_wheel_is_reproducible_and_metadata_hook_agrees(saved_marked: SavedBundle, tmp_path: Path) -> None:
    name = build(saved_marked.path, tmp_path / "one")
    build(saved_marked.path, tmp_path / "two")
    assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    folder = build(saved_marked.path, tmp_path / "meta", "prepare_metadata_for_build_wheel")
    with zipfile.ZipFile(tmp_path / "one" / name) as wheel:
        for file in (tmp_path / "meta" / folder).iterdir():
            assert wheel.read(f"{folder}/{file.name}") == file.read_bytes()


def test_requirements_become_metadata(marked: SavedBundle, tmp_path: Path) -> None:
    (marked.path / "requirements.txt").write_text(
        "--index-url=https://a.example.com\n./bundled_pip_dependencies/x.whl\n# comment\nrich[jupyter]==1 ; "
        "python_version > '3'  # why\nclick>=8 \\\n  --hash=sha256:00\n"
        "bentoml==1.4.0\nBentoML\n-r other.txt\n"
        "thing @ https://example.com/t.whl\n"
    )
    folder = build(marked.path, tmp_path / "meta", "prepare_metadata_for_build_wheel")
    found = PathDistribution(tmp_path / "meta" / folder).requires or []
    assert found[0].startswith("bentoml @ file:///")
    assert found[1:] == [
        "rich[jupyter]==1 ; python_version > '3'", "click>=8", "thing @ https://example.com/t.whl",
    ]  # fmt: skip


def test_T1_changed_bundle_does_not_become_a_wheel(marked: SavedBundle, tmp_path: Path) -> None:
    (marked.package / "artifacts/notes.txt").write_text("changed")
    with pytest.raises(AssertionError, match=r"'Marked/artifacts/notes\.txt' in the bundle was changed"):
        build(marked.path, tmp_path / "dist")
    (marked.package / "artifacts/notes.txt").write_text("hi")
    (marked.path / "bundled_pip_dependencies" / wheel_name()).unlink()
    with pytest.raises(AssertionError, match="The bundle lacks"):
        build(marked.path, tmp_path / "dist2")


def environment(path: Path) -> Path:
    """A fresh virtual environment with pip; the packages of this interpreter stay importable."""
    subprocess.run([sys.executable, "-m", "venv", str(path)], check=True, timeout=120)
    python = path / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    done = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    )
    outer = sysconfig.get_path("purelib")
    # Appended late and by name, so that the venv's own packages come first and its pip sees only them.
    (Path(done.stdout.strip()) / "outer.pth").write_text(f"import sys; sys.path.append({outer!r})\n")
    return python


def call(python: Path, *arguments: str, cwd: Path) -> str:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        [str(python), *arguments],
        cwd=cwd,
        env={**clean, "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_pip_install_into_a_fresh_environment(marked: SavedBundle, tmp_path: Path) -> None:
    """Installs the bundle and the library out of it; the package, its command and its digests work."""
    python = environment(tmp_path / "venv")
    before = sorted(
        p.relative_to(marked.path).as_posix() for p in marked.path.rglob("*") if p.suffix != ".pyc"
    )
    wheel = marked.path / "bundled_pip_dependencies" / wheel_name()
    call(python, "-m", "pip", "install", "--no-deps", str(marked.path), str(wheel), cwd=tmp_path)
    after = {p.relative_to(marked.path).as_posix() for p in marked.path.rglob("*") if p.suffix != ".pyc"}
    assert after - {"__pycache__"} == set(before)
    script = """
import json, bentoml, Marked
svc = Marked.load()
same = type(svc) is Marked.Marked
print(json.dumps([svc.predict(5), Marked.__version__, same, bentoml.__file__, Marked.__file__]))
"""
    answer, version, same, library, package = json.loads(call(python, "-c", script, cwd=tmp_path))
    assert (answer, version, same) == ([[1], 5], "1.0_A", True)
    assert Path(library).is_relative_to(tmp_path / "venv")
    assert Path(package).is_relative_to(tmp_path / "venv")
    command = python.with_name("Marked.exe" if os.name == "nt" else "Marked")
    record = json.loads(call(command, "info", cwd=tmp_path))
    assert (record["name"], record["version"]) == ("Marked", "1.0_A")
    (Path(package).parent / "marked.py").write_text("raise SystemExit('changed')")
    with pytest.raises(AssertionError, match=r"marked\.py' was changed"):
        call(python, "-c", "import Marked; Marked.load()", cwd=tmp_path)
    make_the_library_anew(python, wheel, tmp_path)


def make_the_library_anew(python: Path, wheel: Path, tmp_path: Path) -> None:
    """An installed library reassembles the very wheel that it was installed from."""
    target = tmp_path / "again.whl"
    script = (
        "import pathlib; from bentoml.bundle.own_wheel import build_own_wheel; "
        f"pathlib.Path({str(target)!r}).write_bytes(build_own_wheel())"
    )
    call(python, "-c", script, cwd=tmp_path)
    with zipfile.ZipFile(target) as made, zipfile.ZipFile(wheel) as given:
        assert made.namelist() == given.namelist()
    assert target.read_bytes() == wheel.read_bytes()


@pytest.mark.slow
def test_pip_takes_the_library_from_the_bundle_only(marked: SavedBundle, tmp_path: Path) -> None:
    """A foreign `bentoml` with the same version on the index is not even looked at."""
    (marked.path / "requirements.txt").write_text("bentoml>=0.1\n")
    foreign = tmp_path / "index"
    foreign.mkdir()
    shutil.copyfile(marked.path / "bundled_pip_dependencies" / wheel_name(), foreign / wheel_name())
    python = environment(tmp_path / "venv")
    report = tmp_path / "report.json"
    wheels = [f"--find-links={foreign}", *stub_dependencies(tmp_path / "stubs")]
    call(
        python, "-m", "pip", "install", "--dry-run", f"--report={report}", *wheels, str(marked.path),
        cwd=tmp_path,
    )  # fmt: skip
    rows = json.loads(report.read_text())["install"]
    found = {row["metadata"]["name"]: row["download_info"] for row in rows}
    assert found["bentoml"]["url"] == (marked.path / "bundled_pip_dependencies" / wheel_name()).as_uri()
    assert "sha256" in found["bentoml"]["archive_info"]["hashes"]
    assert "Marked" in found


def stub_dependencies(folder: Path) -> list[str]:
    """Empty wheels with the names of everything the library requires, so that no index is needed."""
    from importlib.metadata import version

    from bentoml.bundle.own_wheel import zip_wheel

    folder.mkdir()
    with zipfile.ZipFile(io.BytesIO(build_own_wheel())) as wheel:
        text = wheel.read(f"bentoml-{__version__}.dist-info/METADATA").decode()
    for line in text.splitlines():
        if not line.startswith("Requires-Dist: "):
            continue
        requirement = Requirement(line.partition(": ")[2])
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        name = requirement.name.replace("-", "_")
        info = f"{name}-{version(requirement.name)}.dist-info"
        data = zip_wheel(
            {
                f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {requirement.name}\n"
                f"Version: {version(requirement.name)}\n".encode(),
                f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            },
            info,
        )
        (folder / f"{name}-{version(requirement.name)}-py3-none-any.whl").write_bytes(data)
    return [f"--find-links={folder}"]


def test_own_wheel_is_complete_and_reproducible(tmp_path: Path) -> None:
    data = build_own_wheel()
    assert data == build_own_wheel()
    file = tmp_path / wheel_name()
    file.write_bytes(data)
    with zipfile.ZipFile(file) as wheel:
        assert wheel.testzip() is None
        names = wheel.namelist()
        assert not [n for n in names if "__pycache__" in n or n.endswith(".pyc") or n.startswith("/")]
        assert {"bentoml/__init__.py", "bentoml/py.typed", "bentoml/bundle/build_backend.py"} <= set(names)
        metadata = wheel.read(f"bentoml-{__version__}.dist-info/METADATA").decode()
        points = wheel.read(f"bentoml-{__version__}.dist-info/entry_points.txt").decode()
    assert f"\nVersion: {__version__}\n" in metadata
    assert "\nRequires-Dist: PyYAML>=6.0\n" in metadata
    assert "bentoml = bentoml.cli.main:main" in points
    package = Path(bentoml.__file__).parent
    ours = {f"bentoml/{f.relative_to(package).as_posix()}" for f in package.rglob("*.py")}
    assert ours <= set(names)


def test_package_init_text_is_safe_for_every_name() -> None:
    spec = PackageSpec("Svc", "1", "3.11.7", "w.whl", "0")
    compile(package_init_text(spec), "init", "exec")


def test_importing_the_package_out_of_the_bundle(saved_marked: SavedBundle, tmp_path: Path) -> None:
    """As 0.13 documents it: the bundle on the import path, no installation."""
    project = Project(tmp_path / "p")
    project.path.mkdir()
    script = (
        "import Marked, sys; print('marked' in sys.modules, Marked.load().predict(1), Marked.Marked.name)"
    )
    done = project.run(script, import_path=(saved_marked.path,), PYTHONDONTWRITEBYTECODE="1")
    assert done.stdout.strip() == "False [[1], 1] Marked"
