"""Fixtures that several areas need."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

pytest.register_assert_rewrite("contracts")


@pytest.fixture(autouse=True)
def loggers_as_before() -> Iterator[None]:
    """What a test configures does not decide what the next one sees in `caplog`."""
    root = logging.getLogger("bentoml")
    handlers, propagate = root.handlers[:], root.propagate
    yield
    root.handlers, root.propagate = handlers, propagate
    logging.disable(logging.NOTSET)
    for name in [n for n in logging.root.manager.loggerDict if n == "bentoml" or n.startswith("bentoml.")]:
        logger = logging.getLogger(name)
        logger.disabled = False
        logger.setLevel(logging.NOTSET)


@pytest.fixture
def propagating_logger() -> Iterator[None]:
    """Log lines reach `caplog`, whatever another test or `user_logger` did to the library's logger."""
    logger = logging.getLogger("bentoml")
    before = logger.handlers[:], logger.propagate, logger.level
    logger.handlers, logger.propagate = [logging.NullHandler()], True
    logger.setLevel(logging.INFO)
    yield
    logger.handlers, logger.propagate = before[0], before[1]
    logger.setLevel(before[2])
