"""After saving: can the bundle be imported where only the bundle and installed packages exist?

A child interpreter in isolated mode, with editable installs and the project's folder out of reach,
imports the bundle's module. Artifacts are not loaded. What is missing is reported with the fix; the
bundle is kept either way, because the answer may be an image that brings what this machine lacks.
"""

from __future__ import annotations

import importlib.metadata
import json
import logging
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .locate import ModuleLocator
from .site_dirs import site_directories, standard_library_directories

logger = logging.getLogger("bentoml")

CHECK_VARIABLE = "BENTOML_IMPORT_CHECK"
DEFAULT_TIMEOUT_S = 180.0

_START = """\
import json, sys
sys.path[:] = json.loads(sys.argv[1])
sys.meta_path[:] = [
    finder for finder in sys.meta_path
    if not str(getattr(finder, "__module__", "")).startswith("__editable__")
]
sys.path_importer_cache.clear()
from bentoml.bundle.import_check import prepare, run
prepare()
line = sys.stdin.readline()
if line:
    run(json.loads(line))
"""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """Outcome of the check. `missing` are modules nothing provides; `importer` needs the first of them."""

    ok: bool
    missing: tuple[str, ...] = ()
    importer: str = ""
    error: str = ""

    def advice(self) -> str:
        """One line for the user: what is wrong and what to do."""
        if not self.missing:
            return f"importing it raised {self.error}"
        name = self.missing[0]
        needed = f" (needed by {self.importer})" if self.importer else ""
        return f"module '{name}'{needed} is missing. {_fix(name)}"


def _fix(name: str) -> str:
    located = ModuleLocator().locate(name)
    if located.origin == "local":
        return (
            f"It is your own code ('{located.file}'), but nothing imports it by name: add `import {name}` to "
            "the service's module"
        )
    top = name.partition(".")[0]
    return f"Install the package that provides it and list it: @bentoml.env(pip_packages=['{top}'])"


class ImportCheck:
    """A clean interpreter that starts while the bundle is still being written, then imports it.

    As a context manager it ends the interpreter, whatever happens.
    """

    def __init__(self) -> None:
        self._work = tempfile.TemporaryDirectory(prefix="bentoml-check-")
        self._child = subprocess.Popen(
            [sys.executable, "-I", "-B", "-c", _START, json.dumps(clean_import_path())],
            cwd=self._work.name,
            env={**os.environ, CHECK_VARIABLE: "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def __enter__(self) -> ImportCheck:
        return self

    def __exit__(self, *_: object) -> None:
        if self._child.poll() is None:
            self._child.kill()
        self._child.communicate()
        self._work.cleanup()

    def run(self, path: Path, pickled: list[str], timeout_s: float = DEFAULT_TIMEOUT_S) -> ImportReport:
        """Import the bundle's module; once per check.

        Args:
            path: the bundle's root.
            pickled: modules that unpickling its artifacts will import; looked for, not executed.
            timeout_s: seconds after which the child is ended; reported as an error.
        """
        result = Path(self._work.name) / "result.json"
        arguments = {"bundle": str(path.absolute()), "pickled": pickled, "result": str(result)}
        try:
            _, said = self._child.communicate((json.dumps(arguments) + "\n").encode(), timeout_s)
        except subprocess.TimeoutExpired:
            return ImportReport(False, error=f"no end within {timeout_s:.0f} seconds")
        if not result.is_file():
            return ImportReport(False, error=_last_line(said) or f"exit code {self._child.returncode}")
        document: dict[str, Any] = json.loads(result.read_text("utf-8"))
        missing = tuple(document["missing"])
        return ImportReport(document["ok"], missing, document["importer"], document["error"])


def check_import(
    path: Path, pickled: list[str] | None = None, timeout_s: float = DEFAULT_TIMEOUT_S
) -> ImportReport:
    """Import the bundle's module in a clean interpreter, see `ImportCheck.run`."""
    with ImportCheck() as check:
        return check.run(path, pickled or [], timeout_s)


def report_import(check: ImportCheck, path: Path, pickled: list[str]) -> ImportReport:
    """Run the check and warn the user when it fails."""
    report = check.run(path, pickled)
    if not report.ok:
        logger.warning(
            "The bundle was saved, but it cannot be imported in a clean interpreter: %s", report.advice()
        )
    return report


def clean_import_path() -> list[str]:
    """Standard library, site directories and where this library lies; nothing of the user's projects."""
    allowed = [*standard_library_directories(), *site_directories()]
    found = [entry for entry in sys.path if entry and _is_allowed(os.path.realpath(entry), allowed)]
    found += [entry for entry in allowed if os.path.isdir(entry)]
    found += [entry for entry in sys.path if entry and _holds_installed_packages(entry)]
    found.append(str(Path(__file__).resolve().parents[2]))
    return list(dict.fromkeys(found))


def _is_allowed(entry: str, allowed: list[str]) -> bool:
    is_library_zip = entry.endswith(".zip") and os.path.basename(entry).startswith("python")
    return is_library_zip or any(entry == base or entry.startswith(base + os.sep) for base in allowed)


def _holds_installed_packages(entry: str) -> bool:
    """A `pip install --target` directory; one with an editable install's egg-info is not."""
    if not os.path.isdir(entry):
        return False
    return any(
        dist.read_text("RECORD") is not None for dist in importlib.metadata.distributions(path=[entry])
    )


def _last_line(output: bytes) -> str:
    lines = output.decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:500] if lines else ""
