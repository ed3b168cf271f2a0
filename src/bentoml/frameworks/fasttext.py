"""fastText models in the file `<name>`, without an extension."""

from __future__ import annotations

from typing import Any

from ._model import ModelArtifact, Reference
from ._registry import import_package


class FasttextModelArtifact(ModelArtifact):
    """A fastText model, supervised or of word vectors.

    Args:
        name: name of the artifact.
    """

    REFERENCE = Reference(
        takes="what `fasttext.train_supervised` or `load_model` returns", gives="the model", files="`NAME`"
    )
    PIP = ("fasttext",)

    def pack(self, model: Any, metadata: dict[str, Any] | None = None) -> FasttextModelArtifact:
        """Take a model. Raises `InvalidArgument` for anything else."""
        if not isinstance(model, import_package("fasttext.FastText", self)._FastText):
            raise self._refusal(model, "a fastText model")
        self._model = model
        return self

    def load(self, path: str) -> FasttextModelArtifact:
        fasttext = import_package("fasttext", self)
        return self.pack(fasttext.load_model(str(self._found(path, ""))))

    def save(self, dst: str) -> None:
        self._model.save_model(str(self._file(dst, "")))
