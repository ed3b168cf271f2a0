"""sentence-transformers models – embeddings and cross encoders – in the directory `<name>/`."""

from __future__ import annotations

import os
from typing import Any

from bentoml.exceptions import NotFound

from ._model import ModelArtifact, Reference
from ._registry import import_package

KIND_FILE = "_bentoml_class.txt"
KINDS = ("SentenceTransformer", "CrossEncoder", "SparseEncoder")


class SentenceTransformersModelArtifact(ModelArtifact):
    """A `SentenceTransformer`, `CrossEncoder` or `SparseEncoder`.

    Args:
        name: name of the artifact.
        device: where it is loaded, such as `"cpu"` or `"cuda"`; None lets the package choose.
    """

    REFERENCE = Reference(
        takes="`SentenceTransformer`, `CrossEncoder`, `SparseEncoder`; a folder; a model's name",
        gives="an object of the same class",
        files="`NAME/`",
    )
    PIP = ("sentence-transformers",)

    def __init__(self, name: str, device: str | None = None) -> None:
        super().__init__(name)
        self._device = device

    def pack(self, model: Any, metadata: dict[str, Any] | None = None) -> SentenceTransformersModelArtifact:
        """Take a model, or load one from a folder or by its name.

        Raises:
            InvalidArgument: it is neither.
            NotFound: no such folder or name.
        """
        package = import_package("sentence_transformers", self)
        if isinstance(model, (str, os.PathLike)):
            try:
                model = package.SentenceTransformer(os.fspath(model), device=self._device)
            except (OSError, ValueError) as err:
                raise NotFound(
                    f"'{model}' is no folder or name of a sentence-transformers model: {str(err)[:300]}"
                ) from err
        if not isinstance(model, tuple(getattr(package, kind) for kind in KINDS if hasattr(package, kind))):
            raise self._refusal(model, f"one of {', '.join(KINDS)}, a folder or a model's name")
        self._model = model
        return self

    def load(self, path: str) -> SentenceTransformersModelArtifact:
        package = import_package("sentence_transformers", self)
        directory = self._found(path, "")
        kind_file = directory / KIND_FILE
        kind = kind_file.read_text(encoding="utf-8").strip() if kind_file.is_file() else KINDS[0]
        cls = getattr(package, kind if kind in KINDS else KINDS[0])
        return self.pack(cls(str(directory), device=self._device, local_files_only=True))

    def save(self, dst: str) -> None:
        directory = self._file(dst, "")
        self._model.save_pretrained(str(directory))
        kind = next(base.__name__ for base in type(self._model).__mro__ if base.__name__ in KINDS)
        (directory / KIND_FILE).write_text(kind, encoding="utf-8")
