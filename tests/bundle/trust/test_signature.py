"""Signed bundles: what a signature covers, and that nothing runs of a bundle that is not trusted."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from bentoml.bundle.layout import SIGNATURE_FILE
from bentoml.bundle.load import load_from_dir, load_service_class
from bentoml.bundle.manifest import write_manifest
from bentoml.bundle.trust.keys import load_private_key
from bentoml.bundle.trust.policy import KEYS_VARIABLE
from bentoml.bundle.trust.signature import read_signatures, sign_bundle
from bentoml.exceptions import BentoMLConfigException, BundleCorrupted, InvalidArgument, UntrustedBundle
from bentoml.offline.target import find_target
from bentoml.repository.local import LocalRepository
from bentoml.server.run import serve
from bentoml.settings import load_settings
from tests.bundle.projects import ECHO_SERVICE, Project, SavedBundle, load_elsewhere

Keys = dict[str, Path]


@pytest.fixture
def marker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MARKER", str(tmp_path / "marker"))
    return tmp_path / "marker"


@pytest.fixture
def required(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEYS_VARIABLE, str(keys["ours.pub"]))


def sign(bundle: Path, key: Path) -> None:
    sign_bundle(bundle, load_private_key(key))


ROADS: dict[str, Callable[[Path, Path], object]] = {
    "load": lambda path, _: load_from_dir(path),
    "load without comparing": lambda path, _: load_from_dir(path, verify=False),
    "load the class": lambda path, _: load_service_class(path),
    "serve": lambda path, _: serve(path, load_settings(port=0)),
    "offline run": lambda path, _: find_target(path, "predict"),
    "import": lambda path, tmp: LocalRepository(tmp / "home").add_directory(path),
}


@pytest.mark.parametrize("road", ROADS)
@pytest.mark.usefixtures("required")
def test_unsigned_and_foreign_bundles_are_refused_before_anything_runs(
    road: str, marked: SavedBundle, keys: Keys, marker: Path, tmp_path: Path
) -> None:
    with pytest.raises(UntrustedBundle, match="is not signed"):
        ROADS[road](marked.path, tmp_path)
    sign(marked.path, keys["theirs"])
    with pytest.raises(UntrustedBundle, match="not one of the trusted keys"):
        ROADS[road](marked.path, tmp_path)
    assert not marker.exists()
    assert not list((tmp_path / "home").rglob("bentoml.yml"))


@pytest.mark.usefixtures("required")
def test_a_signed_bundle_loads_and_goes_into_the_repository(
    marked: SavedBundle, keys: Keys, marker: Path, tmp_path: Path
) -> None:
    sign(marked.path, keys["theirs"])
    sign(marked.path, keys["ours"])
    assert load_from_dir(marked.path).predict(1) == [[1], 1]
    assert marker.exists()
    kept = LocalRepository(tmp_path / "home").add_directory(marked.path)
    assert [one.key for one in read_signatures(kept)] == [one.key for one in read_signatures(marked.path)]


@pytest.mark.usefixtures("required")
def test_T6_a_consistent_edit_is_found_when_the_bundle_was_signed(
    marked: SavedBundle, keys: Keys, marker: Path
) -> None:
    """The manifest alone cannot: its writer may write it anew."""
    sign(marked.path, keys["ours"])
    (marked.package / "artifacts/notes.txt").write_text("HI")
    write_manifest(marked.path)
    with pytest.raises(UntrustedBundle, match="changed after key"):
        load_from_dir(marked.path)
    with pytest.raises(UntrustedBundle, match="changed after key"):
        load_from_dir(marked.path, verify=False)
    assert not marker.exists()


@pytest.mark.usefixtures("required")
def test_T1_a_changed_file_of_a_signed_bundle_is_found_also_without_verify(
    marked: SavedBundle, keys: Keys, marker: Path
) -> None:
    sign(marked.path, keys["ours"])
    (marked.package / "artifacts/notes.txt").write_text("HI")
    with pytest.raises(BundleCorrupted, match=r"notes\.txt"):
        load_from_dir(marked.path, verify=False)
    assert not marker.exists()


@pytest.mark.parametrize("field", ["name", "version", "manifest", "package", "signed_at", "signature"])
@pytest.mark.usefixtures("required")
def test_every_field_of_a_signature_is_signed(
    field: str, marked: SavedBundle, keys: Keys, marker: Path
) -> None:
    sign(marked.path, keys["ours"])
    file = marked.path / SIGNATURE_FILE
    document = json.loads(file.read_text())
    value = document["signatures"][0][field]
    document["signatures"][0][field] = value[:-2] + ("A=" if value.endswith("==") else "0A")
    file.write_text(json.dumps(document))
    with pytest.raises(UntrustedBundle):
        load_from_dir(marked.path)
    assert not marker.exists()


@pytest.mark.usefixtures("required")
def test_T2_the_signature_of_another_bundle_is_worth_nothing(
    marked: SavedBundle, saved_echo: SavedBundle, keys: Keys, marker: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(saved_echo.path, other)
    sign(other, keys["ours"])
    shutil.copy(other / SIGNATURE_FILE, marked.path / SIGNATURE_FILE)
    with pytest.raises(UntrustedBundle, match="changed after key"):
        load_from_dir(marked.path)
    assert not marker.exists()


@pytest.mark.usefixtures("required")
def test_somebody_elses_signature_under_our_key_is_found(
    marked: SavedBundle, keys: Keys, marker: Path
) -> None:
    """The key written in the file is a claim; only what our own copy of the key verifies counts."""
    sign(marked.path, keys["theirs"])
    file = marked.path / SIGNATURE_FILE
    document = json.loads(file.read_text())
    document["signatures"][0]["key"] = keys["ours.pub"].read_text().strip()
    file.write_text(json.dumps(document))
    with pytest.raises(UntrustedBundle, match="changed after key"):
        load_from_dir(marked.path)
    assert not marker.exists()


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"format": 2, "signatures": []}', '{"format": 1, "signatures": [1]}',
     '{"format": 1, "signatures": [{"key": "x"}]}', "[" * 100_000, "\0"],
)  # fmt: skip
@pytest.mark.usefixtures("required")
def test_damaged_signature_files_are_refused(text: str, marked: SavedBundle, marker: Path) -> None:
    (marked.path / SIGNATURE_FILE).write_text(text)
    with pytest.raises(BundleCorrupted, match=SIGNATURE_FILE):
        load_from_dir(marked.path)
    assert not marker.exists()


@pytest.mark.usefixtures("required")
def test_T8_a_link_as_signature_is_refused(marked: SavedBundle, tmp_path: Path, marker: Path) -> None:
    (tmp_path / "elsewhere").write_text("{}")
    (marked.path / SIGNATURE_FILE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BundleCorrupted, match="link"):
        load_from_dir(marked.path)
    assert not marker.exists()


def test_signing_again_replaces_and_signing_a_damaged_bundle_fails(marked: SavedBundle, keys: Keys) -> None:
    for _ in range(2):
        sign(marked.path, keys["ours"])
    sign(marked.path, keys["theirs"])
    assert len(read_signatures(marked.path)) == 2
    load_from_dir(marked.path)
    (marked.package / "artifacts/notes.txt").write_text("HI")
    with pytest.raises(BundleCorrupted):
        sign(marked.path, keys["ours"])


def test_T12_a_bundle_of_0_13_cannot_be_signed_and_is_refused_where_keys_are_required(
    keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Path(__file__).parents[2] / "compat013/fixtures/home013/repository"
    old = tmp_path / "old"
    shutil.copytree(next(home.glob("WordCounter/*")), old)
    with pytest.raises(InvalidArgument, match="save it again"):
        sign(old, keys["ours"])
    monkeypatch.setenv(KEYS_VARIABLE, str(keys["ours.pub"]))
    with pytest.raises(UntrustedBundle, match=r"saved by 0\.13"):
        load_from_dir(old)


def test_a_key_that_cannot_be_read_refuses_everything(
    marked: SavedBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, marker: Path
) -> None:
    monkeypatch.setenv(KEYS_VARIABLE, str(tmp_path / "absent.pub"))
    with pytest.raises(BentoMLConfigException, match="cannot be read"):
        load_from_dir(marked.path)
    config = tmp_path / "config.yml"
    config.write_text("trust:\n  verify_keys: []\n")
    monkeypatch.delenv(KEYS_VARIABLE)
    monkeypatch.setenv("BENTOML_CONFIG", str(config))
    with pytest.raises(BentoMLConfigException, match="names no key"):
        load_from_dir(marked.path)
    assert not marker.exists()


def test_saving_needs_no_signature_of_its_own_bundle(project: Project, keys: Keys) -> None:
    """The import check runs before anybody can have signed it."""
    project.write(**{"echo.py": ECHO_SERVICE})
    bundle = project.save("echo", "Echo", check_import=True, **{KEYS_VARIABLE: str(keys["ours.pub"])})
    assert "cannot be imported" not in bundle.log


def test_user_code_of_other_processes_obeys_the_variable(
    marked: SavedBundle, keys: Keys, tmp_path: Path
) -> None:
    sign(marked.path, keys["ours"])
    variable = {KEYS_VARIABLE: keys["ours.pub"].read_text().strip()}
    assert load_elsewhere(marked.path, "svc.predict(2)", tmp_path, **variable) == "[[1], 2]"
    with pytest.raises(AssertionError, match="UntrustedBundle"):
        load_elsewhere(marked.path, "1", tmp_path, **{KEYS_VARIABLE: keys["theirs.pub"].read_text().strip()})


def test_the_signature_of_a_bundle_holds_for_its_installed_package(
    marked: SavedBundle, keys: Keys, tmp_path: Path
) -> None:
    """pip leaves the inner folder alone, with a manifest of its own; the signature names that one too."""
    sign(marked.path, keys["ours"])
    site = install(marked.path, tmp_path)
    script = "import Marked; print(Marked.load().predict(3))"
    elsewhere = Project(tmp_path)
    ours, theirs = ({KEYS_VARIABLE: str(keys[name])} for name in ("ours.pub", "theirs.pub"))
    assert elsewhere.run(script, import_path=(site,), **ours).stdout.strip() == "[[1], 3]"
    assert "UntrustedBundle" in elsewhere.run(script, import_path=(site,), check=False, **theirs).stderr
    notes = site / "Marked/artifacts/notes.txt"
    notes.write_text("HI")
    write_manifest(site / "Marked")
    refused = elsewhere.run(script, import_path=(site,), check=False, **ours).stderr
    assert "changed after key" in refused


def install(bundle: Path, tmp_path: Path) -> Path:
    """What pip does with a bundle: its own build backend makes a wheel, which is unpacked."""
    out, site = tmp_path / "dist", tmp_path / "site"
    out.mkdir()
    build = f"import bentoml_bundle_build as b; print(b.build_wheel({str(out)!r}))"
    Project(tmp_path).run(build, import_path=(bundle,))
    (wheel,) = out.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return site
