"""Writes down a user's own class as `module:QualifiedName`, and finds it again."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

from bentoml.exceptions import ArtifactLoadingException, InvalidArgument


def class_path(cls: type) -> str:
    """`module:QualifiedName`; a class of the running script is named by the script's file.

    Raises:
        InvalidArgument: the class is local to a function or was typed into an interpreter.
    """
    module_name = cls.__module__
    if module_name == "__main__":
        file = getattr(sys.modules["__main__"], "__file__", None)
        module_name = Path(file).stem if file else ""
    if not module_name or "<locals>" in cls.__qualname__:
        raise InvalidArgument(
            f"Class {cls.__qualname__} cannot be imported where the bundle is loaded. Move it to the top "
            "level of a module of your project"
        )
    return f"{module_name}:{cls.__qualname__}"


def load_class(path: str) -> Any:
    """The class `path` names. Raises `ArtifactLoadingException` when it cannot be imported."""
    module_name, _, qualified_name = path.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
        for part in qualified_name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as err:
        raise ArtifactLoadingException(
            f"Class '{qualified_name}' of module '{module_name}' cannot be imported: {err}. The bundle must "
            "contain that module; import it in the module of the service"
        ) from err
    return found


def write_class(file: Path, cls: type, parameters: dict[str, Any] | None = None) -> None:
    """Write down `cls`, and those of its constructor's `parameters` that JSON can hold."""
    kept = {key: value for key, value in (parameters or {}).items() if is_plain(value)}
    file.write_text(json.dumps({"class": class_path(cls), "parameters": kept}), encoding="utf-8")


def read_class(file: Path) -> tuple[Any, dict[str, Any]]:
    """What `write_class` wrote: the class and its parameters."""
    content = json.loads(file.read_text(encoding="utf-8"))
    return load_class(content["class"]), content["parameters"]


def is_plain(value: Any) -> bool:
    """Whether JSON gives the same value back."""
    try:
        return bool(json.loads(json.dumps(value)) == value or value != value)  # noqa: PLR0124 - NaN
    except (TypeError, ValueError):
        return False
