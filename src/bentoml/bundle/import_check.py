"""The child's side of `verification`: import a bundle's module and write down how it went."""

from __future__ import annotations

import importlib.util
import json
import traceback
from pathlib import Path
from typing import Any

from .load import load_bundle
from .locate import ModuleLocator


def prepare() -> None:
    """What every bundle imports of this library, imported while the bundle is still being written."""
    import bentoml.adapters.default_output  # noqa: PLC0415
    import bentoml.service.artifacts.base  # noqa: F401, PLC0415


def run(arguments: dict[str, Any]) -> None:
    """Import `arguments["bundle"]` and write the outcome to the file `arguments["result"]`."""
    outcome: dict[str, Any] = {"ok": True, "missing": [], "importer": "", "error": ""}
    try:
        loaded = load_bundle(arguments["bundle"], verify=False, is_own=True)
        locator = ModuleLocator(first=[loaded.modules.root])
        with loaded.modules.active():
            missing = [name for name in arguments["pickled"] if not _exists(name, locator)]
        if missing:
            outcome.update(ok=False, missing=missing, importer="a packed object")
    except ModuleNotFoundError as err:
        outcome.update(ok=False, missing=[err.name or str(err)], importer=_importer(err), error=_shown(err))
    except BaseException as err:  # whatever a module does while it is imported is what we report
        outcome.update(ok=False, error=_shown(err), importer=_importer(err))
    Path(arguments["result"]).write_text(json.dumps(outcome), "utf-8")


def _exists(name: str, locator: ModuleLocator) -> bool:
    """Search the parents without importing them: that of a large library takes a second."""
    if locator.locate(name).origin != "missing":
        return True
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError, AttributeError):
        return False


def _importer(err: BaseException) -> str:
    """The last file of the user's code on the way to the error."""
    frames = [frame for frame in traceback.extract_tb(err.__traceback__) if not _is_machinery(frame.filename)]
    return Path(frames[-1].filename).name if frames else ""


def _is_machinery(filename: str) -> bool:
    own = str(Path(__file__).parent)
    return filename.startswith(("<", own)) or "importlib" in filename


def _shown(err: BaseException) -> str:
    return f"{type(err).__name__}: {err}"[:500]
