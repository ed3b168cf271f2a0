"""ONNX models, run by ONNX Runtime."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bentoml.exceptions import BentoMLException, InvalidArgument
from bentoml.file_copy import copy_file
from bentoml.service.artifacts.base import BentoServiceArtifact

from ._model import ModelArtifact, Reference
from ._registry import import_package

MODEL = ".onnx"
BACKENDS = ("onnxruntime", "onnxruntime-gpu")


class OnnxModelArtifact(ModelArtifact):
    """An ONNX model.

    Args:
        name: name of the artifact.
        backend: the package that runs it, `"onnxruntime"` or `"onnxruntime-gpu"`.
        providers: execution providers in order of preference, as `InferenceSession` takes them; None
            takes all that the installed package offers.

    Raises:
        BentoMLException: unknown backend.
    """

    REFERENCE = Reference(
        takes="`onnx.ModelProto`, or the path of an `.onnx` file",
        gives="`onnxruntime.InferenceSession`, made at the first use",
        files="`NAME.onnx`, and the files of external data it names",
    )

    def __init__(
        self,
        name: str,
        backend: str = "onnxruntime",
        providers: Sequence[str | tuple[str, dict[str, Any]]] | None = None,
    ) -> None:
        super().__init__(name)
        if backend not in BACKENDS:
            raise BentoMLException(
                f"'{backend}' runtime is not supported; backend is one of {', '.join(BACKENDS)}"
            )
        self._backend = backend
        self._providers = list(providers) if providers is not None else None
        self._session: Any = None
        self.PIP = (backend,)  # type: ignore[misc]

    def pack(self, model: Any, metadata: dict[str, Any] | None = None) -> OnnxModelArtifact:
        """Take a model in memory or the path of a file. Raises `InvalidArgument` for anything else."""
        if isinstance(model, (str, os.PathLike)):
            file = Path(model)
            if file.suffix != MODEL or not file.is_file():
                raise InvalidArgument(f"'{file}' is not an existing file with the extension {MODEL}")
            self._model: Any = file
        elif isinstance(model, import_package("onnx", self).ModelProto):
            self._model = model
        else:
            raise self._refusal(model, "an onnx.ModelProto or the path of an .onnx file")
        self._session = None
        return self

    def load(self, path: str) -> OnnxModelArtifact:
        import_package("onnxruntime", self)
        self.pack(self._found(path, MODEL))
        self.session()
        return self

    def save(self, dst: str) -> None:
        file = self._file(dst, MODEL)
        if isinstance(self._model, Path):
            _copy(self._model, file, self)
        else:
            import_package("onnx", self).save_model(self._model, str(file))

    def get(self) -> Any:
        return self.session()

    def session(self) -> Any:
        """The `InferenceSession`; the same one at every call."""
        if self._session is None:
            runtime = import_package("onnxruntime", self)
            source = str(self._model) if isinstance(self._model, Path) else self._model.SerializeToString()
            self._session = runtime.InferenceSession(
                source, providers=self._providers or runtime.get_available_providers()
            )
        return self._session


def _copy(source: Path, target: Path, artifact: BentoServiceArtifact) -> None:
    """Copy a model with its external data; a file without `onnx` installed is taken to have none."""
    copy_file(source, target)
    try:
        onnx = import_package("onnx", artifact)
    except BentoMLException:
        return
    model = onnx.load(str(source), load_external_data=False)
    helper = import_package("onnx.external_data_helper", artifact)
    for tensor in helper._get_all_tensors(model):
        if helper.uses_external_data(tensor):
            location = Path(helper.ExternalDataInfo(tensor).location)
            if location.is_absolute() or ".." in location.parts:
                raise InvalidArgument(
                    f"External data '{location}' of '{source.name}' is not beside the model"
                )
            (target.parent / location).parent.mkdir(parents=True, exist_ok=True)
            if not (target.parent / location).exists():
                copy_file(source.parent / location, target.parent / location)
