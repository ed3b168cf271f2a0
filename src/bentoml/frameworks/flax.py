"""Flax Linen models: variables as msgpack, the module as its class and plain fields."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from bentoml.exceptions import InvalidArgument

from ._model import ModelArtifact, Reference
from ._registry import import_package
from .class_names import is_plain, read_class, write_class

VARIABLES = ".msgpack"
CLASS_FILE = "_class.json"


class FlaxModelArtifact(ModelArtifact):
    """A `flax.linen.Module` and its variables.

    Args:
        name: name of the artifact.
        module: a function without arguments that makes the module, for one whose fields are not all
            plain values.
    """

    REFERENCE = Reference(
        takes='`{"module": flax.linen.Module, "variables": …}`',
        gives="the dictionary; call `module.apply(variables, x)`",
        files="`NAME.msgpack`, `NAME_class.json`",
    )
    PIP = ("flax",)

    def __init__(self, name: str, module: Callable[[], Any] | None = None) -> None:
        super().__init__(name)
        self._make = module

    def pack(self, model: Any, metadata: dict[str, Any] | None = None) -> FlaxModelArtifact:
        """Take `{"module": …, "variables": …}`. Raises `InvalidArgument` for anything else."""
        linen = import_package("flax.linen", self)
        if (
            not isinstance(model, dict)
            or not isinstance(model.get("module"), linen.Module)
            or not isinstance(model.get("variables"), dict)
        ):
            raise self._refusal(model, "{'module': <a flax.linen.Module>, 'variables': <what init() gave>}")
        if self._make is None:
            self._fields(model["module"])
        self._model = {"module": model["module"], "variables": model["variables"]}
        return self

    def load(self, path: str) -> FlaxModelArtifact:
        serialization = import_package("flax.serialization", self)
        variables = serialization.msgpack_restore(self._found(path, VARIABLES).read_bytes())
        cls, fields = (self._make, {}) if self._make else read_class(self._file(path, CLASS_FILE))
        return self.pack({"module": cls(**fields), "variables": variables})

    def save(self, dst: str) -> None:
        serialization = import_package("flax.serialization", self)
        self._file(dst, VARIABLES).write_bytes(serialization.to_bytes(self._model["variables"]))
        if self._make is None:
            module = self._model["module"]
            write_class(self._file(dst, CLASS_FILE), type(module), self._fields(module))

    def _fields(self, module: Any) -> dict[str, Any]:
        fields = {
            field.name: getattr(module, field.name)
            for field in dataclasses.fields(module)
            if field.init and field.name not in {"parent", "name"}
        }
        changed = {key: value for key, value in fields.items() if not _is_default(module, key, value)}
        for key, value in changed.items():
            if not is_plain(value):
                raise InvalidArgument(
                    f"Field '{key}' of the Flax module packed as '{self.name}' is a {type(value).__name__}, "
                    "which cannot be stored. Declare the artifact with module=<a function that makes it>"
                )
        return changed


def _is_default(module: Any, key: str, value: Any) -> bool:
    default = next(field.default for field in dataclasses.fields(module) if field.name == key)
    return default is not dataclasses.MISSING and default is value
