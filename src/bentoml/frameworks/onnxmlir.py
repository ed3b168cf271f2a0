"""Models compiled by onnx-mlir to a shared library, `<name>.so`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from bentoml.exceptions import InvalidArgument
from bentoml.file_copy import copy_file

from ._model import ModelArtifact, Reference
from ._registry import import_package

MODEL = ".so"
ENTRY_POINT = "run_main_graph"


class OnnxMlirModelArtifact(ModelArtifact):
    """A compiled model. `PyRuntime`, which runs it, is built with onnx-mlir and is in no package index.

    Args:
        name: name of the artifact.
    """

    REFERENCE = Reference(
        takes="the path of a compiled `.so` file",
        gives="`PyRuntime.ExecutionSession`, made at the first use",
        files="`NAME.so`",
    )
    PIP = ("numpy",)

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._session: Any = None

    def pack(self, model: Any, metadata: dict[str, Any] | None = None) -> OnnxMlirModelArtifact:
        """Take the path of a compiled model. Raises `InvalidArgument` for anything else."""
        if not isinstance(model, (str, os.PathLike)) or not os.path.isfile(model):
            raise self._refusal(model, "the path of a shared library compiled by onnx-mlir")
        if Path(model).suffix != MODEL:
            raise InvalidArgument(f"'{os.fspath(model)}' must be a shared library with the extension {MODEL}")
        self._model, self._session = Path(model), None
        return self

    def load(self, path: str) -> OnnxMlirModelArtifact:
        import_package("PyRuntime", self)
        self.pack(self._found(path, MODEL))
        self.session()
        return self

    def save(self, dst: str) -> None:
        copy_file(self._model, self._file(dst, MODEL))

    def get(self) -> Any:
        return self.session()

    def session(self) -> Any:
        """The session; the same one at every call."""
        if self._session is None:
            runtime = import_package("PyRuntime", self)
            library = os.path.abspath(self._model)
            if hasattr(runtime, "OMExecutionSession"):  # its name since onnx-mlir 0.2
                self._session = runtime.OMExecutionSession(library)
            else:
                self._session = runtime.ExecutionSession(library, ENTRY_POINT)
        return self._session
