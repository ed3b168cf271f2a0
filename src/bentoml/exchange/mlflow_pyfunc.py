"""What MLflow imports to load an exported bundle: `_load_pyfunc`, by the name that MLflow calls.

A table or an array goes to the API's function as it is, since both sides have the same types. Any
other input becomes one request an item and is decoded and answered as on a server.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from bentoml.adapters.dataframe_input import DataframeInput
from bentoml.adapters.json_input import JsonInput
from bentoml.adapters.ndarray_input import NdarrayInput
from bentoml.bundle.load import load_from_dir
from bentoml.exceptions import InvalidArgument
from bentoml.inference.pipeline import Pipeline
from bentoml.inference.session import Session
from bentoml.types import Payload, Reply, RequestHead

_JSON = RequestHead.build({"Content-Type": "application/json"})


def _load_pyfunc(path: str, model_config: Mapping[str, Any] | None = None) -> BundleModel:
    return BundleModel(path, (model_config or {}).get("api"))


class BundleModel:
    """A loaded bundle with MLflow's `predict`.

    Args:
        path: the bundle's directory.
        api: the name of the API; None for the first one.
    """

    def __init__(self, path: str, api: str | None) -> None:
        self.service = load_from_dir(path)
        self.api = self.service.get_inference_api(api) if api else self.service.inference_apis[0]
        self._session = Session(self.service)
        self._session.open()
        self._pipeline = Pipeline(self.api)

    def predict(self, model_input: Any, params: Mapping[str, Any] | None = None) -> Any:
        """Predictions for all items of the input.

        Args:
            model_input: a `pandas.DataFrame`, an array, a list of items, or one item as a dict.
            params: MLflow's; the APIs of a service have none.

        Returns:
            For a table or an array what the function returns, otherwise a list with one answer an item.

        Raises:
            InvalidArgument: the input is not for this API, with the place of the wrong item.
        """
        if params:
            raise InvalidArgument(f"The API '{self.api.name}' takes no params, got {', '.join(params)}")
        if isinstance(self.api.input_adapter, DataframeInput):
            return self._call(self._frame(model_input))
        if isinstance(self.api.input_adapter, NdarrayInput):
            return self._of_array(model_input)
        items = [self._payload(item) for item in _items(model_input)]
        return [self._answer(place, reply) for place, reply in enumerate(self._run(items))]

    def _frame(self, model_input: Any) -> Any:
        import pandas as pd  # noqa: PLC0415 - only services of tables need it

        adapter: Any = self.api.input_adapter
        frame = model_input if isinstance(model_input, pd.DataFrame) else pd.DataFrame(model_input)
        if adapter.columns is None:
            return frame
        if not isinstance(model_input, pd.DataFrame) and frame.shape[1] == len(adapter.columns):
            frame = frame.set_axis(adapter.columns, axis="columns")
        missing = [name for name in adapter.columns if name not in frame.columns]
        if missing:
            raise InvalidArgument(
                f"The API '{self.api.name}' needs the columns {', '.join(map(str, missing))}, "
                f"got {', '.join(map(str, frame.columns))}"
            )
        return frame[adapter.columns]

    def _of_array(self, model_input: Any) -> Any:
        import numpy as np  # noqa: PLC0415 - only services of arrays need it

        adapter: Any = self.api.input_adapter
        array = np.asarray(model_input, dtype=adapter.dtype)
        return self._call(array) if self.api.batch else [self._call(item) for item in array]

    def _call(self, value: Any) -> Any:
        if self.api.is_async:
            return self._session.wait_for(partial(self.api.user_func, value))
        return self.api.user_func(value)

    def _payload(self, item: Any) -> Payload:
        if isinstance(item, (bytes, bytearray)):
            return Payload(bytes(item))
        if isinstance(item, str) and not isinstance(self.api.input_adapter, JsonInput):
            return Payload(item.encode())
        return Payload(json.dumps(item, default=_as_json).encode(), _JSON)

    def _run(self, payloads: list[Payload]) -> Sequence[Reply]:
        if self.api.is_async:
            return self._session.wait_for(partial(self._pipeline.run_async, payloads))
        return self._pipeline.run(payloads)

    def _answer(self, place: int, reply: Reply) -> Any:
        if reply.error:
            text = bytes(reply.body).decode("utf-8", "replace")
            raise InvalidArgument(f"Item {place} was not answered by the API '{self.api.name}': {text}")
        if "json" in reply.head.content_type:
            return json.loads(bytes(reply.body))
        return bytes(reply.body)


def _items(model_input: Any) -> list[Any]:
    """One item a row of a table; a table of one column gives its values."""
    if hasattr(model_input, "to_dict") and hasattr(model_input, "columns"):
        if len(model_input.columns) == 1:
            return list(model_input.iloc[:, 0])
        return list(model_input.to_dict(orient="records"))
    if isinstance(model_input, (Mapping, str, bytes)):
        return [model_input]
    return list(model_input.tolist() if hasattr(model_input, "tolist") else model_input)


def _as_json(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    if hasattr(value, "isoformat"):
        return value.isoformat()
    raise TypeError(f"A value of type {type(value).__name__} has no form in JSON")
