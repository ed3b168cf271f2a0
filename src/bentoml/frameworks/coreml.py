"""Core ML models: `<name>.mlmodel`, or the folder `<name>.mlpackage` for ML programs."""

from __future__ import annotations

from typing import Any

from ._model import ModelArtifact, Reference
from ._registry import import_package

MODEL = ".mlmodel"
PACKAGE = ".mlpackage"


class CoreMLModelArtifact(ModelArtifact):
    """A Core ML model. It is saved and loaded anywhere; `predict` works on macOS only.

    Args:
        name: name of the artifact.
    """

    REFERENCE = Reference(
        takes="`coremltools.models.MLModel`",
        gives="the model (predicts on macOS only)",
        files="`NAME.mlmodel`; `NAME.mlpackage/` for ML programs",
    )
    PIP = ("coremltools>=4.0b2",)

    def pack(self, model: Any, metadata: dict[str, Any] | None = None) -> CoreMLModelArtifact:
        """Take a model. Raises `InvalidArgument` for anything else."""
        if not isinstance(model, import_package("coremltools.models", self).MLModel):
            raise self._refusal(model, "a coremltools.models.MLModel")
        self._model = model
        return self

    def load(self, path: str) -> CoreMLModelArtifact:
        models = import_package("coremltools.models", self)
        return self.pack(models.MLModel(str(self._found(path, MODEL, PACKAGE))))

    def save(self, dst: str) -> None:
        is_program = self._model.get_spec().WhichOneof("Type") == "mlProgram"
        self._model.save(str(self._file(dst, PACKAGE if is_program else MODEL)))
