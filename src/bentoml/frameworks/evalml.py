"""EvalML pipelines in `<name>.pkl`."""

from __future__ import annotations

from typing import Any

from ._model import ModelArtifact, Reference
from ._registry import import_package

MODEL = ".pkl"


class EvalMLModelArtifact(ModelArtifact):
    """An EvalML pipeline.

    Args:
        name: name of the artifact.
    """

    REFERENCE = Reference(takes="`evalml.pipelines.PipelineBase`", gives="the pipeline", files="`NAME.pkl`")
    PIP = ("evalml",)

    def pack(self, model: Any, metadata: dict[str, Any] | None = None) -> EvalMLModelArtifact:
        """Take a pipeline. Raises `InvalidArgument` for anything else."""
        if not isinstance(model, import_package("evalml.pipelines", self).PipelineBase):
            raise self._refusal(model, "an EvalML pipeline")
        self._model = model
        return self

    def load(self, path: str) -> EvalMLModelArtifact:
        pipelines = import_package("evalml.pipelines", self)
        return self.pack(pipelines.PipelineBase.load(str(self._found(path, MODEL))))

    def save(self, dst: str) -> None:
        self._model.save(str(self._file(dst, MODEL)))
