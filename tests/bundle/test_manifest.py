"""Tampered bundles (T) are refused before anything of them runs, and the message names the file."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import bentoml
from bentoml.bundle.load import load_from_dir, safe_retrieve
from bentoml.bundle.manifest import MANIFEST_FILE, read_manifest, verify_manifest, write_manifest
from bentoml.exceptions import BentoMLException, BundleCorrupted

from .projects import SavedBundle


@pytest.fixture
def marker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Exists once any code of the bundle `Marked` has run."""
    file = tmp_path / "marker"
    monkeypatch.setenv("MARKER", str(file))
    return file


def refused(bundle: SavedBundle, marker: Path, named: str) -> None:
    for attempt in (load_from_dir, verify_manifest):
        with pytest.raises(BundleCorrupted) as caught:
            attempt(bundle.path)
        assert named in str(caught.value)
    assert not marker.exists()


def test_intact_bundle_loads_and_runs_its_module(marked: SavedBundle, marker: Path) -> None:
    service = load_from_dir(marked.path)
    assert marker.read_text() == "executed"
    assert service.predict(2) == [[1], 2]  # type: ignore[attr-defined]
    assert not list(marked.path.rglob("__pycache__"))


@pytest.mark.parametrize("file", ["Marked/artifacts/model.pkl", "Marked/marked.py", "requirements.txt"])
@pytest.mark.parametrize("bit", [0, 7])
def test_T1_one_bit_flipped(marked: SavedBundle, marker: Path, file: str, bit: int) -> None:
    data = bytearray((marked.path / file).read_bytes())
    data[len(data) // 2] ^= 1 << bit
    (marked.path / file).write_bytes(data)
    refused(marked, marker, file)


def test_T2_artifact_of_another_bundle(marked: SavedBundle, marker: Path) -> None:
    shutil.copyfile(marked.package / "artifacts/notes.txt", marked.package / "artifacts/model.pkl")
    refused(marked, marker, "Marked/artifacts/model.pkl")


@pytest.mark.parametrize(
    "file", ["Marked/artifacts/model.pkl", "Marked/marked.py", "bentoml.yml", "setup.py"]
)
def test_T3_file_removed(marked: SavedBundle, marker: Path, file: str) -> None:
    (marked.path / file).unlink()
    refused(marked, marker, file)


@pytest.mark.parametrize(
    "file",
    [
        "Marked/json.py",
        "Marked/marked/__init__.py",
        "Marked/__pycache__/x.py",
        "sitecustomize.py",
        "Marked/x.pyc",
    ],
)
def test_T4_file_added(marked: SavedBundle, marker: Path, file: str) -> None:
    (marked.path / file).parent.mkdir(exist_ok=True)
    (marked.path / file).write_text("raise SystemExit")
    refused(marked, marker, file)


@pytest.mark.parametrize(
    ("old", "new"),
    [("1.0_A", "1.0_B"), ("module_file: marked.py", "module_file: ../x.py"), ("PickleArtifact", "Text")],
)
def test_T5_metadata_edited(marked: SavedBundle, marker: Path, old: str, new: str) -> None:
    file = marked.path / "bentoml.yml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    refused(marked, marker, "bentoml.yml")


def test_T6_manifest_edited(marked: SavedBundle, marker: Path) -> None:
    file = marked.path / MANIFEST_FILE
    document = json.loads(file.read_text())
    document["files"]["setup.py"]["sha256"] = "0" * 64
    file.write_text(json.dumps(document))
    refused(marked, marker, MANIFEST_FILE)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": 2}', "\0", "[" * 100_000, '{"format": 1, "files": 3}']
)
def test_T6_manifest_that_is_none(marked: SavedBundle, marker: Path, text: str) -> None:
    (marked.path / MANIFEST_FILE).write_text(text)
    refused(marked, marker, MANIFEST_FILE)


def test_T6_consistent_edit_is_the_documented_limit(marked: SavedBundle) -> None:
    (marked.package / "artifacts/notes.txt").write_text("changed by somebody who may write everything")
    write_manifest(marked.path)
    assert verify_manifest(marked.path) is not None


def test_T7_manifest_missing(marked: SavedBundle, marker: Path) -> None:
    (marked.path / MANIFEST_FILE).unlink()
    refused(marked, marker, MANIFEST_FILE)


@pytest.mark.parametrize("file", ["Marked/artifacts/model.pkl", MANIFEST_FILE, "Marked/marked.py"])
def test_T8_file_replaced_by_a_link(marked: SavedBundle, marker: Path, file: str, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    shutil.move(marked.path / file, outside)
    (marked.path / file).symlink_to(outside)
    refused(marked, marker, file)


def test_T8_folder_replaced_by_a_link(marked: SavedBundle, marker: Path, tmp_path: Path) -> None:
    shutil.move(marked.package / "artifacts", tmp_path / "outside")
    (marked.package / "artifacts").symlink_to(tmp_path / "outside")
    refused(marked, marker, "Marked/artifacts")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs POSIX FIFOs")
def test_T8_file_replaced_by_a_fifo(marked: SavedBundle, marker: Path) -> None:
    (marked.path / "setup.py").unlink()
    os.mkfifo(marked.path / "setup.py")
    refused(marked, marker, "setup.py")


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX permissions")
def test_T9_changed_permissions_are_a_warning(marked: SavedBundle, caplog: pytest.LogCaptureFixture) -> None:
    (marked.path / "bentoml-init.sh").chmod(0o644)
    with caplog.at_level(logging.WARNING, logger="bentoml"):
        logging.getLogger("bentoml").propagate = True
        verify_manifest(marked.path)
    assert "bentoml-init.sh" in caplog.text


@pytest.mark.parametrize("attempt", [load_from_dir, bentoml.load, lambda p: safe_retrieve(p, p / "copy")])
def test_T10_empty_directory(tmp_path: Path, attempt: Callable[[Path], object]) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(
        BentoMLException, match=r"can't locate config file 'bentoml\.yml' in saved bundle in path"
    ):
        attempt(empty)


def test_T12_only_old_bundles_may_lack_a_manifest(tmp_path: Path) -> None:
    for version, accepted in (
        ("0.13.1", True),
        ("0.9.0", True),
        ("0.14.0", False),
        ("1.0.0", False),
        ("", False),
    ):
        folder = tmp_path / (version or "none")
        folder.mkdir()
        (folder / "bentoml.yml").write_text(f"version: {version}\nkind: BentoService\n")
        if accepted:
            assert verify_manifest(folder) is None
        else:
            with pytest.raises(BundleCorrupted, match=MANIFEST_FILE):
                verify_manifest(folder)


def test_byte_code_is_no_addition_and_never_read(marked: SavedBundle, marker: Path) -> None:
    cache = marked.package / "__pycache__"
    cache.mkdir()
    (cache / f"marked.{sys.implementation.cache_tag}.pyc").write_bytes(b"not byte code at all")
    assert load_from_dir(marked.path).name == "Marked"
    assert marker.exists()


def test_digest_depends_on_content_only(marked: SavedBundle, saved_marked: SavedBundle) -> None:
    one, two = read_manifest(marked.path), read_manifest(saved_marked.path)
    assert one is not None
    assert two is not None
    assert one.digest == two.digest == write_manifest(marked.path).digest


def test_copies_are_verified_first(marked: SavedBundle, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    assert safe_retrieve(marked.path, target) == target
    assert verify_manifest(target) is not None
    with pytest.raises(BentoMLException, match="exists already"):
        safe_retrieve(marked.path, target)
    (marked.path / "setup.py").write_text("changed")
    with pytest.raises(BundleCorrupted, match=r"setup\.py"):
        safe_retrieve(marked.path, tmp_path / "other")
    assert not (tmp_path / "other").exists()
