"""What custom adapters of the 0.13 line import from here."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from pathlib import PurePosixPath
from typing import Any

from bentoml.exceptions import BadInput
from bentoml.types import HTTPHeaders, HTTPRequest, InferenceTask

from .content import gunzip
from .image_input import ImageInput
from .json_codec import plain
from .limits import DEFAULT_LIMITS

TF_B64_KEY = "b64"


class B64JsonEncoder(json.JSONEncoder):
    """For `json.dumps(cls=…)`: bytes as text, or as `{"b64": …}` when they are none."""

    def default(self, o: Any) -> Any:
        return plain(o)


class NumpyJsonEncoder(B64JsonEncoder):
    """The same, with numpy's scalars and arrays as numbers and lists."""


class TfTensorJsonEncoder(NumpyJsonEncoder):
    """The same, with TensorFlow's tensors as lists."""

    def default(self, o: Any) -> Any:
        is_tensor = type(o).__module__.partition(".")[0] == "tensorflow" and hasattr(o, "numpy")
        return super().default(o.numpy() if is_tensor else o)


def concat_list(lst: Sequence[Any], batch_flags: Sequence[bool] | None = None) -> tuple[list[Any], list[Any]]:
    """All values in one list, and where each item of `lst` is in it: a slice, a number for one value.

    Args:
        batch_flags: False for an item that is a value by itself, not a list of them.
    """
    values: list[Any] = []
    places: list[Any] = []
    for item, is_batch in zip(lst, batch_flags or [True] * len(lst), strict=True):
        places.append(slice(len(values), len(values) + len(item)) if is_batch else len(values))
        values += item if is_batch else [item]
    return values, places


def check_file_extension(file_name: str, accept_ext_list: Iterable[str]) -> bool:
    """Whether a name ends in one of the endings, in any case."""
    return PurePosixPath(file_name.lower()).suffix in {ending.lower() for ending in accept_ext_list}


def get_default_accept_image_formats() -> list[str]:
    """Endings of image files in the configuration."""
    return ImageInput().accept_image_formats


def decompress_gzip_request(method: Callable[..., Any]) -> Callable[..., Any]:
    """For `from_http_request`: a body that is sent with gzip arrives without it.

    Data that is broken makes a task that is discarded, and `method` is not called.
    """

    @wraps(method)
    def unpacked(self: Any, req: HTTPRequest) -> Any:
        if (req.headers.get("content-encoding") or "").lower() not in ("gzip", "x-gzip"):
            return method(self, req)
        try:
            body = gunzip(req.body, DEFAULT_LIMITS)
        except BadInput as err:
            task: InferenceTask = InferenceTask(http_headers=req.headers)
            task.discard(http_status=err.http_status, err_msg=str(err))
            return task
        kept = [(name, value) for name, value in req.headers.items() if name.lower() != "content-encoding"]
        return method(self, HTTPRequest(HTTPHeaders(kept), body, req.method))

    return unpacked
