"""The package index that pip is set up for on this machine, told to uv.

uv reads neither pip's files nor its variables. Companies set their mirror there, so an environment
has to use it whichever tool installs. What is set for uv itself wins.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Mapping

_NAMES = {
    "index-url": ("UV_DEFAULT_INDEX", "UV_INDEX_URL"),
    "extra-index-url": ("UV_EXTRA_INDEX_URL", "UV_INDEX"),
    "find-links": ("UV_FIND_LINKS",),
    "no-index": ("UV_NO_INDEX",),
    "trusted-host": ("UV_INSECURE_HOST",),
    "cert": ("SSL_CERT_FILE",),
    "constraint": ("UV_CONSTRAINT",),
}
_SEPARATOR = {"find-links": ",", "extra-index-url": " ", "trusted-host": " ", "constraint": " "}
_SECTIONS = ("global", "install", ":env:")


def uv_environment(environ: Mapping[str, str], *, constraints: bool = True) -> dict[str, str]:
    """`environ`, with the settings of pip that uv has a variable for.

    Args:
        constraints: a lock is installed without them, because uv wants a digest for each.
    """
    result = dict(environ)
    for option, value in pip_options().items():
        variables = _NAMES.get(option, ()) if constraints or option != "constraint" else ()
        if variables and not any(name in environ for name in variables):
            words = value.split()
            result[variables[0]] = _SEPARATOR[option].join(words) if option in _SEPARATOR else value.strip()
    return result


def pip_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The other way round: what is set for uv alone, in the variables of pip."""
    result = dict(environ)
    for option in ("index-url", "extra-index-url", "find-links", "trusted-host"):
        variable = "PIP_" + option.upper().replace("-", "_")
        value = next((environ[name] for name in _NAMES[option] if environ.get(name)), None)
        if value is not None and variable not in environ:
            result[variable] = value.replace(",", " ")
    return result


def pip_options() -> dict[str, str]:
    """pip's options by name, from its files and variables; empty where pip is not installed."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONUTF8": "1"},
    )
    found: dict[str, str] = {}
    rows = [_row(line) for line in done.stdout.splitlines()]
    for section in _SECTIONS:  # later ones win, as in pip
        found.update({name: value for part, name, value in rows if part == section})
    return found


def _row(line: str) -> tuple[str, str, str]:
    """`global.index-url='https://…'` → its three parts."""
    key, _, literal = line.partition("=")
    section, _, name = key.rpartition(".")
    try:
        value = str(ast.literal_eval(literal))
    except (ValueError, SyntaxError):
        value = literal
    return section, name, value
