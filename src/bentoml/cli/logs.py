"""Log lines of commands: on the console only, in the format that users know."""

from __future__ import annotations

import logging
import os

import click

from bentoml.observability.formats import CONSOLE_FORMAT, LineFormatter
from bentoml.observability.logs import reset

logger = logging.getLogger("bentoml")


class ConsoleHandler(logging.Handler):
    """Writes through click, which follows redirection and drops colours where they make no sense."""

    def __init__(self, *, to_stderr: bool) -> None:
        super().__init__()
        self.setFormatter(LineFormatter(CONSOLE_FORMAT))
        self._to_stderr = to_stderr

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(self.format(record), err=self._to_stderr)


def configure(*, quiet: bool, verbose: bool, to_stderr: bool) -> None:
    """Install the handler and the level: errors if `quiet`, everything if `verbose`."""
    reset()
    logger.addHandler(ConsoleHandler(to_stderr=to_stderr))
    logger.propagate = False
    if quiet:
        logger.setLevel(logging.ERROR)
        if verbose:
            logger.error("The option `--verbose/--debug` is ignored when `--quiet` is also in use")
        return
    debug = verbose or os.environ.get("BENTOML_DEBUG", "").lower() == "true"
    logger.setLevel(logging.DEBUG if debug else logging.INFO)
