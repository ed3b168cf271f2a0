"""One API for each input adapter and each output, in a service that a real server can load.

The functions give one JSON-able result per item, made of that item only.
"""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

import bentoml
from bentoml.adapters import (
    AnnotatedImageInput,
    DataframeInput,
    DataframeOutput,
    FileInput,
    FileOutput,
    ImageInput,
    ImageOutput,
    JsonInput,
    MultiFileInput,
    MultiImageInput,
    NdarrayInput,
    ParquetInput,
    ParquetOutput,
    StringInput,
    TfTensorInput,
)


class Item(BaseModel):
    name: str = Field(min_length=1, max_length=20)
    price: float = Field(gt=0)
    note: str | None = None


class Order(BaseModel):
    model_config = ConfigDict(extra="forbid")

    customer: int
    kind: Literal["new", "again"] = "new"
    day: date
    items: list[Item]


def text(self: Any, values: Any) -> Any:
    return [[value, len(value)] for value in values]


def json_value(self: Any, values: Any) -> Any:
    return list(values)


def order(self: Any, orders: Any) -> Any:
    assert all(type(order) is Order for order in orders)
    return [order.model_dump(mode="json") for order in orders]


def frame(self: Any, df: Any) -> Any:
    kinds = [str(dtype) for dtype in df.dtypes]
    rows = df.astype(object).where(df.notnull(), None).values.tolist()
    return [[list(map(str, df.columns)), kinds, [_plain(cell) for cell in row]] for row in rows]


def _plain(cell: Any) -> Any:
    return cell if isinstance(cell, (str, int, float, bool, type(None), list, dict)) else str(cell)


def file(self: Any, files: Any) -> Any:
    return [f.read().hex() for f in files]


def image(self: Any, images: Any) -> Any:
    return [[list(pixels.shape), pixels.reshape(-1).tolist()[:12]] for pixels in images]


def array(self: Any, arrays: Any) -> Any:
    return [[str(a.dtype), list(a.shape), a.tolist()] for a in arrays]


def tensor(self: Any, rows: Any) -> Any:
    return [[str(rows.dtype), list(rows.shape[1:]), row] for row in rows.tolist()]


def two_files(self: Any, left: Any, right: Any) -> Any:
    return [left.name, left.read().hex(), right.name, right.read().hex()]


def two_images(self: Any, first: Any, second: Any) -> Any:
    return [[*pixels.shape, *pixels[0, 0].tolist()] for pixels in (first, second)]


def annotated(self: Any, pixels: Any, annotations: Any) -> Any:
    return [list(pixels.shape), pixels[0, 0].tolist(), annotations]


def each(one: Any) -> Any:
    """A batch function of columns from a function of one item."""

    def many(self: Any, *columns: Any) -> Any:
        return [one(self, *row) for row in zip(*columns, strict=True)]

    return many


class ArraysOfTensors(TfTensorInput):
    """`TfTensorInput` up to the call of `tf.constant`."""

    def to_argument(self, array: Any) -> Any:
        return array


ArraysOfTensors.__name__ = TfTensorInput.__name__  # it begins the texts of errors


def _api(name: str, adapter: Any, function: Any, output: Any = None) -> Any:
    options = {} if output is None else {"output": output}
    return bentoml.api(input=adapter, batch=True, api_name=name, **options)(_own(function, name))


def _own(function: Any, name: str) -> Any:
    """The decorator marks a function, so every API gets one of its own."""

    def call(self: Any, *values: Any) -> Any:
        return function(self, *values)

    call.__name__ = call.__qualname__ = name
    return call


def same(self: Any, values: Any) -> Any:
    return values


class Served(bentoml.BentoService):
    text = _api("text", StringInput(), text)
    json_value = _api("json_value", JsonInput(), json_value)
    order = _api("order", JsonInput(schema=Order), order)
    frame = _api("frame", DataframeInput(), frame)
    parquet = _api("parquet", ParquetInput(), frame)
    file = _api("file", FileInput(), file)
    image = _api("image", ImageInput(), image)
    array = _api("array", NdarrayInput(), array)
    tensor = _api("tensor", ArraysOfTensors(), tensor)
    two_files = _api("two_files", MultiFileInput(["left", "right_one"]), each(two_files))
    two_images = _api("two_images", MultiImageInput(("first", "second")), each(two_images))
    annotated = _api("annotated", AnnotatedImageInput(), each(annotated))
    frame_out = _api("frame_out", DataframeInput(), same, DataframeOutput())
    parquet_out = _api("parquet_out", DataframeInput(), same, ParquetOutput())
    image_out = _api("image_out", ImageInput(), same, ImageOutput())
    file_out = _api("file_out", FileInput(), same, FileOutput())


if __name__ == "__main__":
    import sys

    service = Served()
    service.set_version("1")
    service.save_to_dir(sys.argv[1])
