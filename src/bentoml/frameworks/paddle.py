"""PaddlePaddle layers, kept and run as inference programs."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bentoml.exceptions import InvalidArgument
from bentoml.file_copy import copy_file

from ._model import ModelArtifact, Reference
from ._registry import import_package, missing

PARAMETERS = ".pdiparams"
PROGRAMS = (".pdmodel", ".json")  # before and since Paddle 3


class PaddlePaddleModelArtifact(ModelArtifact):
    """A `paddle.nn.Layer` under `@paddle.jit.to_static` with an `input_spec`.

    Args:
        name: name of the artifact.

    Raises:
        MissingDependencyException: paddle is not installed.
    """

    REFERENCE = Reference(
        takes="`paddle.nn.Layer` that `paddle.jit.save` can write",
        gives="`paddle.inference` predictor, made at the first use",
        files="`NAME.pdmodel` or (Paddle 3) `NAME.json`; `NAME.pdiparams`",
    )
    PIP = ("paddlepaddle",)

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._source = Path()
        self._scratch: TemporaryDirectory[str] | None = None
        self._predictor: Any = None
        if find_spec("paddle") is None:
            raise missing("paddle", self)

    def pack(self, model: Any, metadata: dict[str, Any] | None = None) -> PaddlePaddleModelArtifact:
        """Take a layer, which is written at once. Raises `InvalidArgument` for anything else."""
        paddle = import_package("paddle", self)
        if not isinstance(model, paddle.nn.Layer):
            raise self._refusal(model, "a paddle.nn.Layer")
        scratch = TemporaryDirectory(prefix="bentoml-paddle-")
        try:
            paddle.jit.save(model, str(Path(scratch.name) / self.name))
        except (ValueError, TypeError, RuntimeError) as err:
            raise InvalidArgument(
                f"paddle.jit.save cannot write the {type(model).__name__} packed as '{self.name}': {err}. "
                "Put its forward under @paddle.jit.to_static(input_spec=[...])"
            ) from err
        self._scratch, self._source, self._predictor = scratch, Path(scratch.name), None
        return self

    def load(self, path: str) -> PaddlePaddleModelArtifact:
        import_package("paddle", self)
        self._found(path, *PROGRAMS)
        self._found(path, PARAMETERS)
        self._source, self._scratch, self._predictor = Path(path), None, None
        self.get_predictor()
        return self

    def save(self, dst: str) -> None:
        for suffix in (*PROGRAMS, PARAMETERS, PARAMETERS + ".info"):
            source = self._file(str(self._source), suffix)
            if source.is_file():
                copy_file(source, self._file(dst, suffix))

    def get(self) -> Any:
        return self.get_predictor()

    def get_predictor(self) -> Any:
        """The predictor; the same one at every call."""
        if self._predictor is None:
            inference = import_package("paddle.inference", self)
            directory = str(self._source)
            program, parameters = self._found(directory, *PROGRAMS), self._found(directory, PARAMETERS)
            config = inference.Config(str(program), str(parameters))
            config.disable_glog_info()  # a page of passes for every predictor
            if program.suffix == PROGRAMS[0]:  # Paddle 3 has no such pass for its own form and fails
                config.enable_memory_optim()
            self._predictor = inference.create_predictor(config)
        return self._predictor
