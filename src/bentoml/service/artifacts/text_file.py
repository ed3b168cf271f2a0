"""A text: a prompt, a template, a label list."""

from __future__ import annotations

import os
from typing import Any

from bentoml.exceptions import InvalidArgument

from .base import BentoServiceArtifact
from .metadata import file_stem


class TextFileArtifact(BentoServiceArtifact):
    """A text stored as `<name><file_extension>`.

    Args:
        name: name of the artifact.
        file_extension: with its dot.
        encoding: of the file.
    """

    def __init__(self, name: str, file_extension: str = ".txt", encoding: str = "utf-8") -> None:
        super().__init__(name)
        self._file_extension = file_extension
        self._encoding = encoding
        self._content = ""

    def _file(self, directory: str) -> str:
        return os.path.join(directory, file_stem(self.name) + self._file_extension)

    def pack(self, content: str, metadata: dict[str, Any] | None = None) -> TextFileArtifact:
        """Take a text. Raises `InvalidArgument` for anything else."""
        if not isinstance(content, str):
            raise InvalidArgument(f"TextFileArtifact '{self.name}' takes a str, not {type(content).__name__}")
        self._content = content
        return self

    def load(self, path: str) -> TextFileArtifact:
        with open(self._file(path), "rb") as file:
            return self.pack(file.read().decode(self._encoding))

    def save(self, dst: str) -> None:
        with open(self._file(dst), "wb") as file:
            file.write(self._content.encode(self._encoding))

    def get(self) -> str:
        return self._content
