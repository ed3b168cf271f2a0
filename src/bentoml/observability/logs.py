"""Set up the loggers `bentoml`, `bentoml.prediction` and `bentoml.feedback`.

Importing this library installs no handler. An entry point (the CLI, a server process) calls
`configure`; in a user's own script the console handler appears with the first line the library has
for them, such as "saved to".
"""

from __future__ import annotations

import logging
import logging.config
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bentoml.exceptions import BentoMLConfigException

from .formats import CONSOLE_FORMAT, FILE_FORMAT, LineFormatter
from .handlers import ConsoleHandler, SharedFileHandler
from .rotating_file import RotatingFile

if TYPE_CHECKING:
    from bentoml.settings import Settings

ROOT = "bentoml"
PREDICTION = "bentoml.prediction"
FEEDBACK = "bentoml.feedback"
MAX_FILE_BYTES = 100 * 1024 * 1024
ACTIVE_BACKUPS = 2
RECORD_BACKUPS = 10


def configure(settings: Settings, *, background: bool = False) -> None:
    """Install handlers and levels; whatever was installed before is closed and replaced.

    Args:
        settings: the groups `logging` and `debug` are read.
        background: console lines go through a thread and are dropped rather than waited for.

    Raises:
        BentoMLConfigException: `logging.advanced.config` is not a valid dictConfig.
    """
    reset()
    logs = settings.logging
    if logs.advanced_enabled:
        _configure_advanced(logs.advanced_config or {})
        return
    _install(
        settings.log_level,
        console=logs.console_enabled,
        background=background,
        file=logs.directory / "active.log" if logs.file_enabled else None,
    )


def configure_worker(
    level: str,
    *,
    console: bool = True,
    file: Path | None = None,
    advanced: dict[str, Any] | None = None,
) -> None:
    """Set up logging in a worker process, which gets no settings object and loads no pydantic.

    Args:
        level: level name of the `bentoml` logger.
        file: the shared `active.log`, None when log files are off.
        advanced: the dictConfig of the advanced mode; the rest is ignored then.
    """
    reset()
    if advanced is not None:
        _configure_advanced(advanced)
    else:
        _install(level, console=console, background=True, file=file)


def configure_logging(logging_level: str | int | None = None) -> None:
    """Set up logging from the configuration file and the environment (0.13's public function).

    Args:
        logging_level: instead of `logging.level`.
    """
    from bentoml.settings import load_settings  # noqa: PLC0415 - loads pydantic

    if isinstance(logging_level, int):
        logging_level = logging.getLevelName(logging_level)
    configure(load_settings(logging__level=logging_level))


def user_logger() -> logging.Logger:
    """The logger for lines a user must see; gets a console handler if nobody configured logging."""
    root = logging.getLogger(ROOT)
    if not root.handlers:
        root.addHandler(_console(background=False))
        root.propagate = False
        if root.level == logging.NOTSET:
            root.setLevel(logging.INFO)
    return root


def reset() -> None:
    """Close and remove every handler of the three loggers."""
    for name in (ROOT, PREDICTION, FEEDBACK):
        logger = logging.getLogger(name)
        for handler in list(logger.handlers):
            logger.removeHandler(handler)
            handler.close()


def _install(level: str, *, console: bool, background: bool, file: Path | None) -> None:
    root = logging.getLogger(ROOT)
    root.setLevel(level)
    root.propagate = False
    root.addHandler(logging.NullHandler())
    if console:
        root.addHandler(_console(background))
    if file is not None:
        handler = SharedFileHandler(RotatingFile(file, MAX_FILE_BYTES, ACTIVE_BACKUPS))
        handler.setFormatter(LineFormatter(FILE_FORMAT))
        root.addHandler(handler)
    for name in (PREDICTION, FEEDBACK):
        records = logging.getLogger(name)
        records.setLevel(logging.INFO)
        records.propagate = False
        records.addHandler(logging.NullHandler())


def _console(background: bool) -> ConsoleHandler:
    handler = ConsoleHandler(background)
    handler.setFormatter(LineFormatter(CONSOLE_FORMAT))
    return handler


def _configure_advanced(config: dict[str, Any]) -> None:
    try:
        logging.config.dictConfig(config)
    except (ValueError, TypeError, AttributeError, ImportError) as err:
        raise BentoMLConfigException(
            f"logging.advanced.config is not a valid dictConfig of the logging module: {err}"
        ) from err
