from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from bentoml.bundle.trust import policy
from bentoml.observability import logs


@pytest.fixture(autouse=True)
def open_policy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No trust settings of the machine; and no log handlers of a server that refused to start."""
    for name in policy._VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("BENTOML_CONFIG", raising=False)
    logger = logging.getLogger("bentoml")
    before = (list(logger.handlers), logger.level, logger.propagate)
    yield
    logs.reset()
    logger.handlers[:], logger.level, logger.propagate = before


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, Path]:
    """Two key pairs: `ours` and `theirs`, with their public files."""
    from bentoml.bundle.trust.keys import generate_key

    found: dict[str, Path] = {}
    for name in ("ours", "theirs"):
        found[name], found[f"{name}.pub"] = generate_key(tmp_path / "keys" / name)
    return found
