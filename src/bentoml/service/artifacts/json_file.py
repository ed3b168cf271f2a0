"""JSON content: settings, vocabularies, class names."""

from __future__ import annotations

import importlib
import os
from types import ModuleType
from typing import Any

from bentoml.exceptions import InvalidArgument

from .base import BentoServiceArtifact
from .metadata import file_stem


class JSONArtifact(BentoServiceArtifact):
    """A value stored as `<name>.json`.

    Args:
        name: name of the artifact.
        encoding: of the file.
        json_module: a module with `dumps` and `loads`, or its name; the standard one when None.
    """

    def __init__(
        self, name: str, encoding: str = "utf-8", json_module: ModuleType | str | None = None
    ) -> None:
        super().__init__(name)
        self._encoding = encoding
        self._json_module = json_module or "json"
        self._content: Any = None
        self._dumps_options: dict[str, Any] = {}

    @property
    def _json(self) -> Any:
        module = self._json_module
        return importlib.import_module(module) if isinstance(module, str) else module

    def _file(self, directory: str) -> str:
        return os.path.join(directory, file_stem(self.name) + ".json")

    def pack(
        self, content: Any, metadata: dict[str, Any] | None = None, **json_dumps_kwargs: Any
    ) -> JSONArtifact:
        """Take `content`; further keywords go to `dumps` when it is saved."""
        self._content = content
        self._dumps_options = json_dumps_kwargs
        return self

    def load(self, path: str) -> JSONArtifact:
        with open(self._file(path), "rb") as file:
            text = file.read().decode(self._encoding)
        return self.pack(self._json.loads(text))

    def save(self, dst: str) -> None:
        try:
            text = self._json.dumps(self._content, **self._dumps_options)
        except (TypeError, ValueError) as err:
            raise InvalidArgument(f"Artifact '{self.name}' cannot be written as JSON: {err}") from err
        with open(self._file(dst), "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode(self._encoding))

    def get(self) -> Any:
        return self._content
