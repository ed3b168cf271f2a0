"""The output adapter of an API that names none: chosen by what the call returned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from bentoml.types import Reply

from .base_output import BaseOutputAdapter
from .dataframe_output import DataframeOutput, is_tabular
from .json_output import JsonOutput
from .tensorflow_tensor_output import TfTensorOutput, is_tensor


class DefaultOutput(BaseOutputAdapter):
    """Frames and series are written as by `DataframeOutput`, tensors of TensorFlow as by
    `TfTensorOutput`, everything else as JSON.

    The choice is made for each call, so it never depends on what was answered before.
    """

    NEGOTIATES: ClassVar[bool] = True

    def __init__(self, cors: Any = None, **base_config: Any) -> None:
        super().__init__(cors=cors, **base_config)
        self._json = JsonOutput()
        self._table = DataframeOutput()
        self._tensor = TfTensorOutput()

    def encode(self, results: Any, rows: Sequence[int | None]) -> list[Reply]:
        first = results[0] if isinstance(results, (list, tuple)) and results else results
        if is_tabular(first):
            return self._table.encode(results, rows)
        if is_tensor(first):
            return self._tensor.encode(results, rows)
        return self._json.encode(results, rows)

    def encode_for(self, results: Any, rows: Sequence[int | None], accepts: Sequence[str]) -> list[Reply]:
        first = results[0] if isinstance(results, (list, tuple)) and results else results
        if is_tabular(first):
            return self._table.encode_for(results, rows, accepts)
        return self.encode(results, rows)
