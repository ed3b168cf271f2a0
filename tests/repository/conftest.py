from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from bentoml.repository.local import LocalRepository

from .bundles import make_bundle


@pytest.fixture
def repository(tmp_path: Path) -> LocalRepository:
    return LocalRepository(tmp_path / "home")


@pytest.fixture
def add(repository: LocalRepository, tmp_path: Path) -> Callable[..., Path]:
    """Make a tiny bundle and add it: `add("Name", "1", {"env": "prod"})`."""
    numbers = itertools.count()

    def add_bundle(
        name: str = "Tiny", version: str = "1", labels: dict[str, str] | None = None, **options: str
    ) -> Path:
        source = make_bundle(tmp_path / f"bundle-{next(numbers)}", name, version, **options)  # type: ignore[arg-type]
        return repository.add_directory(source, labels)

    return add_bundle
