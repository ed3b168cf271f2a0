"""`bentoml export`: everything in one file, every wheel with its digest, or a clear error and no file."""

from __future__ import annotations

import hashlib
import io
import socket
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from bentoml.bundle.layout import EXPORT_FILE
from bentoml.bundle.manifest import read_manifest, write_manifest
from bentoml.cli.main import commandline_interface
from bentoml.environments import download
from bentoml.environments.installers import find_uv
from bentoml.environments.lock import add_lock, resolve_lock
from bentoml.environments.targets import Target, choose_target, this_platform, this_python
from bentoml.exceptions import (
    AlreadyExists,
    BentoMLException,
    BundleCorrupted,
    InvalidArgument,
    MissingDependencyException,
    NotFound,
)
from bentoml.repository.local import LocalRepository
from bentoml.transfer import export_bundle
from tests.environments.wheelhouse import Index, made_up_wheel, package_index

from . import archives
from .conftest import Export

pytestmark = pytest.mark.skipif(find_uv() is None, reason="uv is not installed")


def ask_for(bundle: Path, requirement: str) -> None:
    with (bundle / "requirements.txt").open("a") as file:
        file.write(f"\n{requirement}\n")
    write_manifest(bundle)


@pytest.mark.parametrize("name", ["hello.tar.zst", "hello.tar.gz", "hello.tar"])
def test_every_wheel_is_listed_with_its_digest(export: Export, hello: Path, name: str) -> None:
    done = export(name)
    assert done.wheels is not None and len(done.wheels.files) > 10
    assert (str(done.tag), done.size_bytes) == ("Hello:1", done.path.stat().st_size)
    files = archives.read(done.path)
    assert next(iter(files)) == EXPORT_FILE
    document = archives.listed(files)
    manifest = read_manifest(hello)
    assert manifest is not None and document["digest"] == manifest.digest
    assert (document["wheels"]["platform"], document["wheels"]["python"]) == (this_platform(), this_python())
    wheels = {n.removeprefix("wheels/"): data for n, data in files.items() if n.startswith("wheels/")}
    expected = {
        n: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()} for n, data in wheels.items()
    }
    assert document["wheels"]["files"] == expected
    assert "greeting-1.5-py3-none-any.whl" in wheels
    assert not [n for n in wheels if n.startswith("bentoml-")]  # the library is the bundle's own
    bundle = {n.removeprefix("bundle/") for n in files if n.startswith("bundle/")}
    assert bundle == {p.relative_to(hello).as_posix() for p in hello.rglob("*") if p.is_file()}


def test_the_same_content_gives_the_same_bytes(export: Export) -> None:
    assert export("one.tar.gz").path.read_bytes() == export("two.tar.gz").path.read_bytes()


def test_without_wheels_no_index_is_asked(export: Export, index: Index) -> None:
    done = export(with_wheels=False)
    assert done.wheels is None
    assert not index.asked
    assert archives.listed(archives.read(done.path))["wheels"] is None


def test_a_file_that_is_there_is_kept(export: Export, tmp_path: Path) -> None:
    file = tmp_path / "out" / "hello.tar.gz"
    file.write_bytes(b"mine")
    with pytest.raises(AlreadyExists, match="--overwrite"):
        export(with_wheels=False)
    assert file.read_bytes() == b"mine"
    assert export(with_wheels=False, overwrite=True).size_bytes > 1000


def test_a_changed_bundle_is_not_exported(export: Export, hello: Path, tmp_path: Path) -> None:
    (hello / "requirements.txt").write_text("evil\n")
    with pytest.raises(BundleCorrupted, match=r"requirements\.txt' was changed"):
        export()
    assert not list((tmp_path / "out").iterdir())


def test_names_that_say_nothing_about_the_compression(hello: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match=r"must end in one of \.tar\.zst"):
        export_bundle(str(hello), tmp_path / "hello.zip")
    with pytest.raises(InvalidArgument, match="There is no directory"):
        export_bundle(str(hello), tmp_path / "nowhere" / "hello.tar.gz")
    with pytest.raises(NotFound):
        export_bundle("Nothing:1", tmp_path / "x.tar.gz")


def test_a_package_that_comes_as_source_only(
    export: Export, hello: Path, index: Index, tmp_path: Path
) -> None:
    page = tmp_path / "index" / "simple" / "sourceonly"
    page.mkdir()
    with tarfile.open(page / "sourceonly-1.0.tar.gz", "w:gz") as tar:
        text = b"Metadata-Version: 2.1\nName: sourceonly\nVersion: 1.0\n"
        info = tarfile.TarInfo("sourceonly-1.0/PKG-INFO")
        info.size = len(text)
        tar.addfile(info, io.BytesIO(text))
    (page / "index.html").write_text('<a href="sourceonly-1.0.tar.gz">sourceonly-1.0.tar.gz</a>')
    ask_for(hello, "sourceonly==1.0")
    with pytest.raises(InvalidArgument, match=r"comes as source only(.|\n)*--find-links(.|\n)*sourceonly"):
        export()
    assert not list((tmp_path / "out").iterdir())
    built = tmp_path / "built"
    built.mkdir()
    made_up_wheel(built, "sourceonly", "1.0")
    done = export(find_links=[built])
    assert done.wheels is not None and "sourceonly-1.0-py3-none-any.whl" in done.wheels.files


def other_platform_index(wheels: Path, folder: Path) -> Path:
    """A package with wheels for two processors, one for Windows, and one for an old Python."""
    folder.mkdir()
    for wheel in wheels.glob("*.whl"):
        (folder / wheel.name).symlink_to(wheel)
    made_up_wheel(folder, "windows-only", "1.0")
    made_up_wheel(folder, "old-python", "1.0")
    needs = ["windows-only ; sys_platform == 'win32'", "old-python ; python_version < '3.11'"]
    pure = made_up_wheel(folder, "native", "1.0", needs)
    for tag in ("cp312-cp312-manylinux_2_17_aarch64", "cp310-cp310-win_amd64"):
        (folder / f"native-1.0-{tag}.whl").write_bytes(pure.read_bytes())
    pure.unlink()
    return folder


def test_wheels_for_another_platform_and_python(
    export: Export, hello: Path, wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Markers are evaluated for the target, not for this machine."""
    ask_for(hello, "native==1.0")
    with package_index(other_platform_index(wheels, tmp_path / "more"), tmp_path / "other") as index:
        for name, value in index.environment().items():
            monkeypatch.setenv(name, value)
        arm = export("arm.tar.gz", platform="linux/aarch64", python="3.12").wheels
        windows = export("windows.tar.gz", platform="windows-amd64", python="3.10").wheels
        with pytest.raises(InvalidArgument, match=r"no wheel for Python 3\.12 on macos/arm64"):
            export("mac.tar.gz", platform="macos/arm64", python="3.12")
    assert arm is not None and windows is not None
    assert arm.target == Target("linux/arm64", "3.12")
    assert "native-1.0-cp312-cp312-manylinux_2_17_aarch64.whl" in arm.files
    assert not [name for name in arm.files if name.startswith(("windows_only", "old_python"))]
    assert "native-1.0-cp310-cp310-win_amd64.whl" in windows.files
    assert len([name for name in windows.files if name.startswith(("windows_only", "old_python"))]) == 2


def test_targets_that_do_not_exist() -> None:
    for platform in ("beos/m68k", "linux", "", "windows/arm64/x"):
        with pytest.raises(InvalidArgument, match="is none of linux/amd64"):
            choose_target(platform, None, "3.12")
    for python in ("3", "3.9", "4.0", "3.12.1", "python3.12", "3.999"):
        with pytest.raises(InvalidArgument, match=r"minor version from 3\.10 on"):
            choose_target(None, python, "3.12")
    assert choose_target(None, None, "3.8").python == this_python()  # a bundle of 0.13
    assert choose_target(None, None, "3.12") == Target(this_platform(), "3.12")


def test_an_index_that_does_not_answer(
    export: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # bound and not listening: refused at once
        for name in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{free.getsockname()[1]}/simple/")
        monkeypatch.setenv("UV_HTTP_RETRIES", "0")
        monkeypatch.setenv("PIP_RETRIES", "1")  # it says what is wrong when it tries again
        with pytest.raises(BentoMLException, match="The package index cannot be reached"):
            export()
        monkeypatch.setattr(download, "find_uv", lambda: None)
        with pytest.raises(BentoMLException, match="The package index cannot be reached"):
            export()
    assert not list((tmp_path / "out").iterdir())


def test_without_uv_pip_resolves_for_this_machine(export: Export, monkeypatch: pytest.MonkeyPatch) -> None:
    with_uv = export("uv.tar.gz").wheels
    monkeypatch.setattr(download, "find_uv", lambda: None)
    assert export("pip.tar.gz").wheels == with_uv
    with pytest.raises(MissingDependencyException, match="needs uv"):
        export("arm.tar.gz", platform="linux/arm64")


def test_the_lock_decides(export: Export, hello: Path, index: Index, tmp_path: Path) -> None:
    add_lock(hello, resolve_lock(hello))
    done = export()
    assert done.wheels is not None and "greeting-1.5-py3-none-any.whl" in done.wheels.files
    wheel = tmp_path / "index" / "simple" / "greeting" / "greeting-1.5-py3-none-any.whl"
    wheel.unlink()
    made_up_wheel(wheel.parent, "greeting", "1.5", greeting="TEXT = 'another one'")
    with pytest.raises(BentoMLException, match="not the one that was resolved or locked"):
        export("again.tar.gz")


def test_commands_of_a_journey(export: Export, hello: Path, home: Path, tmp_path: Path) -> None:
    LocalRepository(home).add_directory(hello, labels={"env": "prod"})
    runner = CliRunner()

    def run(*arguments: str, **options: str) -> str:
        done = runner.invoke(commandline_interface, arguments, prog_name="bentoml", **options)
        assert done.exit_code == 0, done.output
        return done.output

    said = run("export", "Hello:latest", "--with-wheels", "-o", str(tmp_path))
    file = tmp_path / "Hello-1.tar.zst"
    assert f"wheels for Python {this_python()} on {this_platform()} to {file}" in said
    run("delete", "Hello:1", "-y")
    assert "Imported Hello:1 with " in run("import", str(file))
    assert LocalRepository(home).get("Hello", "1").labels == {"env": "prod"}
    run("delete", "Hello:1", "-y")
    run("import", str(file), "--without-labels")
    assert LocalRepository(home).get("Hello", "1").labels == {}
    done = runner.invoke(commandline_interface, ["import", str(file)], prog_name="bentoml")
    assert done.exit_code == 1 and "Hello:1 already exists" in done.output
    done = runner.invoke(
        commandline_interface, ["export", "Hello:1", "--platform", "linux/arm64"], prog_name="bentoml"
    )
    assert done.exit_code == 2 and "add --with-wheels" in done.output
