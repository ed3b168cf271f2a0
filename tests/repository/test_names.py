"""Hostile names (N) at every entry of the local repository: refused in one form, nothing touched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

import bentoml
from bentoml.bundle.manifest import write_manifest
from bentoml.cli.main import commandline_interface
from bentoml.exceptions import BentoMLException, BundleCorrupted, InvalidArgument
from bentoml.repository.local import LocalRepository
from bentoml.tags import Tag
from bentoml.transfer import export_bundle
from bentoml.yatai.client import get_yatai_client
from tests.tags.test_tags import HOSTILE

from .bundles import make_bundle

NAMES = HOSTILE
VERSIONS = [*HOSTILE, "latest/../x", "@", "@..", "@a/b"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("BENTOML_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    repository = LocalRepository(tmp_path / "home")
    repository.add_directory(make_bundle(tmp_path / "source", "Good", "1"))
    return tmp_path / "home"


def state(directory: Path) -> list[str]:
    """Everything below it but locks and what SQLite keeps beside its file."""
    return sorted(
        str(path.relative_to(directory))
        for path in directory.rglob("*")
        if not path.name.startswith("storage.db") and path.suffix != ".lock"
    )


PYTHON: dict[str, Callable[[LocalRepository, str, str], object]] = {
    "get": lambda repository, name, version: repository.get(name, version),
    "delete": lambda repository, name, version: repository.delete(name, version),
    "tag": lambda repository, name, version: Tag(name, version),
    "set_aside": lambda repository, name, version: repository.set_aside(Tag(name, version)),
    "restore": lambda repository, name, version: repository.restore(Tag(name, version)),
    "target": lambda repository, name, version: repository.target(Tag(name, version)),
    "list": lambda repository, name, version: repository.list(name) if version == "1" else Tag("x", version),
}


@pytest.mark.parametrize("entry", PYTHON)
def test_N_python_api(entry: str, home: Path, tmp_path: Path) -> None:
    repository = LocalRepository(home)
    before = state(tmp_path)
    for name, version in [*((name, "1") for name in NAMES), *(("Good", version) for version in VERSIONS)]:
        with pytest.raises(BentoMLException) as caught:
            PYTHON[entry](repository, name, version)
        shown = str(caught.value)
        assert "Invalid" in shown or "not found" in shown, (name, version, shown)
        assert "\n" not in shown and len(shown) < 700, (name, version, shown)
    assert state(tmp_path) == before
    assert [record.tag for record in repository.list()] == ["Good:1"]


# Some of them: every command is given each of these twice.
ARGUMENTS = ["..", "../a", "/a", "a\\b", "%2e%2e", "-rf", "a b", "*", "$(x)", "é", "a" * 129]
COMMANDS = [
    ["get"], ["delete", "-y"], ["retrieve"], ["push"], ["pull"], ["info"], ["inspect"], ["env"], ["lock"],
    ["export"], ["verify"], ["run"], ["serve"], ["sbom"], ["open-api-spec"], ["containerize"],
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_N_command_line(command: list[str], home: Path, tmp_path: Path) -> None:
    before = state(tmp_path)
    for name in ARGUMENTS:
        for reference in (f"{name}:1", f"Good:{name}"):
            if Path(reference).exists():
                continue  # a directory is what was named
            more = ["predict", "--input", "1"] if command == ["run"] else []
            done = CliRunner().invoke(
                commandline_interface, [*command, "--", reference, *more], prog_name="bentoml"
            )
            assert done.exit_code in (1, 2), (reference, done.output, done.exception)
            assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    assert state(tmp_path) == before
    assert [record.tag for record in LocalRepository(home).list()] == ["Good:1"]


@pytest.mark.parametrize("field", ["service_name", "service_version"])
def test_N_inside_a_bundle(field: str, home: Path, tmp_path: Path) -> None:
    """A name in `bentoml.yml` becomes a path only if the grammar lets it."""
    repository = LocalRepository(home)
    bundle = make_bundle(tmp_path / "hostile", "Good", "2")
    config = bundle / "bentoml.yml"
    document = yaml.safe_load(config.read_text())
    before = state(home)
    for text in [*HOSTILE, "latest" if field == "service_version" else "x:y"]:
        document["metadata"][field] = text
        config.write_text(yaml.safe_dump(document))
        write_manifest(bundle)
        for use in (
            lambda: repository.add_directory(bundle),
            lambda: bentoml.load(str(bundle)),
            lambda: export_bundle(str(bundle), tmp_path / "x.tar.gz"),
            lambda: get_yatai_client().repository.upload_from_dir(str(bundle)),
        ):
            with pytest.raises(BundleCorrupted, match=r"Invalid BentoService|must be"):
                use()
    assert state(home) == before
    assert not (tmp_path / "x.tar.gz").exists()


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("_", "0"),
        ("CON", "nul"),
        ("a" * 128, "1"),
        ("A", "v" * 128),
        ("Latest", "1.0.0+cpu"),
        ("x_1", "a-b_c.d"),
    ],
)
def test_N_valid_names_touch_their_own_directory_only(
    name: str, version: str, home: Path, tmp_path: Path
) -> None:
    repository = LocalRepository(home)
    before = state(home / "repository")
    bundle = make_bundle(tmp_path / "bundle", name, version)
    path = repository.add_directory(bundle)
    assert path == home / "repository" / name / version
    assert repository.get(name, version).tag == f"{name}:{version}"
    assert f"{name}:{version}" in [record.tag for record in repository.list()]
    grown = set(state(home / "repository")) - set(before)
    assert all(entry == name or entry.startswith(f"{name}/") or entry == ".staging" for entry in grown), grown
    repository.delete(name, version)
    assert not path.exists()
    assert (home / "repository" / "Good" / "1" / "bentoml.yml").is_file()


@pytest.mark.parametrize(
    "labels",
    ["((env=prod)", "env ?? prod", "env In (", "a=b,,c=d", "' OR 1=1 --", "; DROP TABLE bentos", "env=🚀"],
)
def test_N_selectors(labels: str, home: Path) -> None:
    with pytest.raises(InvalidArgument):
        LocalRepository(home).list(labels=labels)
    assert len(LocalRepository(home).list()) == 1
