"""`requirements.lock`: made on demand, all digests, the bundle's own wheel, into the bundle at once."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from bentoml.bundle.manifest import verify_manifest, write_manifest
from bentoml.cli.main import commandline_interface
from bentoml.environments import lock
from bentoml.environments.installers import find_uv
from bentoml.environments.lock import add_lock, resolve_lock
from bentoml.exceptions import BentoMLException, BundleCorrupted, InvalidArgument, MissingDependencyException
from bentoml.repository import durable
from bentoml.repository.local import LocalRepository

from .wheelhouse import Index

pytestmark = pytest.mark.skipif(find_uv() is None, reason="uv is not installed")


def test_every_line_has_digests(hello: Path, index: Index) -> None:
    before = verify_manifest(hello)
    text = resolve_lock(hello)
    assert verify_manifest(hello) == before  # resolving alone changes nothing
    rows = [row for row in text.replace("\\\n", " ").splitlines() if row and row[0] not in "#-"]
    assert len(rows) > 20
    assert all("--hash=sha256:" in row for row in rows)
    assert any(row.startswith("greeting==1.5 ") for row in rows)
    assert any(row.startswith("only-in-the-bundle==3.1 ") for row in rows)


def test_index_options_stay_as_written(hello: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIRROR", index.url.removeprefix("http://").removesuffix("/"))
    file = hello / "requirements.txt"
    file.write_text("--index-url=http://${MIRROR}\n" + file.read_text())
    write_manifest(hello)
    text = resolve_lock(hello)
    assert text.splitlines()[1] == "--index-url=http://${MIRROR}"
    assert index.url not in text


@pytest.mark.parametrize("exchange", [True, False])
def test_command_changes_a_saved_bundle_at_once(
    exchange: bool, hello: Path, index: Index, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not exchange:  # as on systems without an atomic exchange of directories
        monkeypatch.setattr(durable, "exchange", lambda one, other: False)
    path = LocalRepository(home).add_directory(hello)
    old = (path / "bundle-manifest.json").stat().st_ino
    done = CliRunner().invoke(commandline_interface, ["lock", "Hello:latest"], prog_name="bentoml")
    assert done.exit_code == 0, done.output
    assert "packages of Hello:latest" in done.output
    assert (path / "requirements.lock").is_file()
    assert (path / "bundle-manifest.json").stat().st_ino != old
    manifest = verify_manifest(path)
    assert manifest is not None and "requirements.lock" in manifest.files
    assert LocalRepository(home).resolve("Hello:1") == path
    staging = home / "repository" / ".staging"
    assert not list(staging.iterdir())


def test_F23_a_crash_between_the_two_moves_leaves_the_old_bundle(
    hello: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = LocalRepository(home).add_directory(hello)
    before = verify_manifest(path)

    class Killed(BaseException):
        pass

    def die(source: Path, target: Path) -> None:
        if target == path:
            raise Killed
        os.rename(source, target)

    monkeypatch.setattr(durable, "exchange", lambda one, other: False)
    monkeypatch.setattr(durable, "move", die)
    monkeypatch.setattr(durable, "remove_tree", lambda path: None)  # a dead process cleans nothing
    with pytest.raises(Killed):
        LocalRepository(home).rewrite("Hello:1", lambda bundle: add_lock(bundle, "x\n"))
    assert not path.exists()
    monkeypatch.undo()
    monkeypatch.setenv("BENTOML_HOME", str(home))
    LocalRepository(home).list()
    assert verify_manifest(path) == before
    assert not list((home / "repository" / ".staging").iterdir())


def test_a_change_that_breaks_the_bundle_is_refused(hello: Path, home: Path) -> None:
    path = LocalRepository(home).add_directory(hello)
    with pytest.raises(BundleCorrupted, match="was added after saving"):
        LocalRepository(home).rewrite("Hello:1", lambda bundle: (bundle / "x").touch())
    assert verify_manifest(path) is not None


def test_output_to_a_file(hello: Path, index: Index, tmp_path: Path) -> None:
    target = tmp_path / "my.lock"
    done = CliRunner().invoke(commandline_interface, ["lock", str(hello), "-o", str(target)], prog_name="b")
    assert done.exit_code == 0, done.output
    assert "greeting==1.5" in target.read_text()
    assert not (hello / "requirements.lock").exists()
    verify_manifest(hello)


def test_contradictions_are_explained(hello: Path, index: Index) -> None:
    with (hello / "requirements.txt").open("a") as file:
        file.write("\ngreeting>=2\n")
    write_manifest(hello)
    with pytest.raises(BentoMLException, match=r"(?s)cannot be locked:.*greeting"):
        resolve_lock(hello)


def test_no_index_no_lock_and_no_long_wait(hello: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    before = verify_manifest(hello)
    started = time.monotonic()
    with pytest.raises(BentoMLException, match="cannot be locked"):
        resolve_lock(hello)
    assert time.monotonic() - started < 120
    assert verify_manifest(hello) == before


def test_what_it_needs(hello: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("bundle-package.json", "bundle-manifest.json"):
        (hello / name).unlink()
    config = hello / "bentoml.yml"
    config.write_text(config.read_text().replace("version: 0.14.0", "version: 0.13.1"))
    shutil.rmtree(hello / "bundled_pip_dependencies")
    with pytest.raises(InvalidArgument, match=r"was saved by 0\.13; save it again"):
        resolve_lock(hello)
    monkeypatch.setattr(lock, "find_uv", lambda: None)
    with pytest.raises(MissingDependencyException, match="pip install uv"):
        resolve_lock(hello)


def test_a_signature_does_not_outlive_the_content(hello: Path, caplog: pytest.LogCaptureFixture) -> None:
    (hello / "bundle-signature.json").write_text("{}")
    add_lock(hello, "x==1\n")
    assert not (hello / "bundle-signature.json").exists()
    assert verify_manifest(hello) is not None
