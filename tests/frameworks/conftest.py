"""Log lines reach `caplog` whatever another test did to the library's logger."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def propagating_logger() -> Iterator[None]:
    """A handler is present, so that nothing adds a console one, and records go on to the root."""
    logger = logging.getLogger("bentoml")
    before = logger.handlers[:], logger.propagate, logger.level
    logger.handlers, logger.propagate = [logging.NullHandler()], True
    logger.setLevel(logging.INFO)
    yield
    logger.handlers, logger.propagate = before[0], before[1]
    logger.setLevel(before[2])
