"""MXNet Gluon blocks: `<name>-symbol.json` and `<name>-0000.params`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bentoml.exceptions import InvalidArgument
from bentoml.file_copy import copy_file

from ._model import ModelArtifact, Reference
from ._registry import import_package

SYMBOL = "-symbol.json"
PARAMETERS = "-0000.params"
INPUT = "data"


class GluonModelArtifact(ModelArtifact):
    """A hybridized Gluon block that was called once.

    Args:
        name: name of the artifact.
    """

    REFERENCE = Reference(
        takes="a hybridized `mxnet.gluon.HybridBlock`",
        gives="`SymbolBlock` with the input `data`",
        files="`NAME-symbol.json`, `NAME-0000.params`",
    )
    PIP = ("mxnet",)

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._source: Path | None = None

    def pack(self, model: Any, metadata: dict[str, Any] | None = None) -> GluonModelArtifact:
        """Take a block. Raises `InvalidArgument` for anything else."""
        if not isinstance(model, import_package("mxnet.gluon", self).HybridBlock):
            raise self._refusal(model, "a mxnet.gluon.HybridBlock")
        self._model, self._source = model, None
        return self

    def load(self, path: str) -> GluonModelArtifact:
        gluon = import_package("mxnet.gluon", self)
        symbol, parameters = self._found(path, SYMBOL), self._found(path, PARAMETERS)
        self.pack(gluon.SymbolBlock.imports(str(symbol), [INPUT], str(parameters)))
        self._source = Path(path)
        return self

    def save(self, dst: str) -> None:
        if self._source is not None:  # a block that was imported exports without its parameters
            for suffix in (SYMBOL, PARAMETERS):
                copy_file(self._file(str(self._source), suffix), self._file(dst, suffix))
            return
        try:
            self._model.export(str(self._file(dst, "")))
        except RuntimeError as err:
            raise InvalidArgument(
                f"The block packed as '{self.name}' cannot be exported: {err}. "
                "Call hybridize() on it and run it once"
            ) from err
