"""Where this library keeps things, and where its configuration file is. Standard library only."""

from __future__ import annotations

import os
from pathlib import Path

from bentoml.exceptions import BentoMLConfigException

VARIABLES_PREFIX = "BENTOML_"  # of every variable that a setting reads
_NO_SETTINGS = {"BENTOML_HOME", "BENTOML_DEBUG", "BENTOML_DO_NOT_TRACK", "BENTOML_IMPORT_CHECK"}


def home() -> Path:
    """The home directory: `BENTOML_HOME`, or `~/bentoml`. It is not created here."""
    value = os.environ.get("BENTOML_HOME", "").strip()
    return expand(value) if value else Path("~").expanduser() / "bentoml"


def config_file() -> Path | None:
    """The file that `BENTOML_CONFIG` names, or None when it is unset.

    Raises:
        BentoMLConfigException: the file is missing, or is no YAML file by its name.
    """
    value = os.environ.get("BENTOML_CONFIG", "").strip()
    if not value:
        return None
    path = expand(value)
    if path.suffix not in (".yml", ".yaml"):
        raise BentoMLConfigException(
            f"BENTOML_CONFIG names '{value}', which is no .yml file. "
            "Point it to a YAML file, or unset it to use the defaults."
        )
    if not path.is_file():
        raise BentoMLConfigException(f"Config file {value} not found (named by BENTOML_CONFIG)")
    return path


def nothing_is_set() -> bool:
    """Whether every setting has its default: no file, and no variable that could be one of a setting.

    Reading the settings takes a quarter of the time of a short command, so those ask first.
    """
    names = {name for name in os.environ if name.startswith(VARIABLES_PREFIX)}
    return names <= _NO_SETTINGS


def expand(value: str) -> Path:
    """A path as written in a variable or a file: `~` and `$NAME` are replaced."""
    return Path(os.path.expandvars(value)).expanduser()
