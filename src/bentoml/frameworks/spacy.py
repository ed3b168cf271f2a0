"""spaCy pipelines in the directory `<name>/`."""

from __future__ import annotations

from typing import Any

from ._model import ModelArtifact, Reference
from ._registry import import_package


class SpacyModelArtifact(ModelArtifact):
    """A spaCy pipeline.

    Args:
        name: name of the artifact.
    """

    REFERENCE = Reference(takes="`spacy.language.Language`", gives="the pipeline", files="`NAME/`")
    PIP = ("spacy",)

    def pack(self, model: Any, metadata: dict[str, Any] | None = None) -> SpacyModelArtifact:
        """Take a pipeline. Raises `InvalidArgument` for anything else, a package name included."""
        if not isinstance(model, import_package("spacy.language", self).Language):
            raise self._refusal(model, "a spacy.language.Language, such as spacy.load('en_core_web_sm')")
        self._model = model
        return self

    def load(self, path: str) -> SpacyModelArtifact:
        spacy = import_package("spacy", self)
        return self.pack(spacy.util.load_model(self._found(path, "")))

    def save(self, dst: str) -> None:
        self._model.to_disk(self._file(dst, ""))
