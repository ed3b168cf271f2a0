from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bentoml.cli.main import commandline_interface
from bentoml.repository.local import LocalRepository
from tests.repository.bundles import make_bundle

Run = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("BENTOML_CONFIG", raising=False)
    return tmp_path / "home"


@pytest.fixture
def repository(home: Path) -> LocalRepository:
    return LocalRepository(home)


@pytest.fixture
def add(repository: LocalRepository, tmp_path: Path) -> Callable[..., Path]:
    """Make a tiny bundle and add it: `add("Name", "1", {"env": "prod"})`."""

    def add_bundle(name: str, version: str, labels: dict[str, str] | None = None) -> Path:
        return repository.add_directory(
            make_bundle(tmp_path / "sources" / f"{name}-{version}", name, version), labels
        )

    return add_bundle


@pytest.fixture
def run(home: Path) -> Iterator[Run]:
    """Run `bentoml` in this process."""
    runner = CliRunner()

    def run_command(*arguments: str, input: str | None = None) -> Result:
        return runner.invoke(commandline_interface, arguments, input=input, prog_name="bentoml")

    logger = logging.getLogger("bentoml")
    before = (list(logger.handlers), logger.level, logger.propagate)
    yield run_command
    logger.handlers[:], logger.level, logger.propagate = before
