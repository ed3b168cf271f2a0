"""Items that are arrays: those of equal shape and type share a call, as one array."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

from bentoml.exceptions import BadInput, PayloadTooLarge, UnsupportedMediaType
from bentoml.types import InferenceTask, Payload

from .base_input import Group
from .json_codec import loads
from .string_input import StringInput


class ArrayItem(NamedTuple):
    """A decoded request: one item, or, where `rows` is a number, as many along the first axis."""

    array: Any
    rows: int | None

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal for items that may share an array."""
        shape = self.array.shape
        return (self.array.dtype.str, shape if self.rows is None else shape[1:])


class StackingInput(StringInput):
    """What inputs of arrays have in common; a subclass reads requests and makes the argument."""

    @abstractmethod
    def read_item(self, payload: Payload) -> ArrayItem:
        """The item of a request. Raises `BadInput`."""

    @abstractmethod
    def item_of(self, data: Any, many: bool | None) -> ArrayItem:
        """The item of data that Python has. Raises `BadInput`.

        Args:
            many: what the request says about its first axis: it counts items, or not, or nothing.
        """

    def to_argument(self, array: Any) -> Any:
        """What the user function gets in place of a NumPy array."""
        return array

    def decode(self, payload: Payload) -> Any:
        try:
            return self.read_item(payload)
        except (PayloadTooLarge, UnsupportedMediaType):
            raise
        except BadInput as err:
            raise BadInput(f"{type(self).__name__}: {err}") from err

    def merge(self, values: list[Any]) -> list[Group]:
        groups: dict[tuple[Any, ...], list[int]] = {}
        for place, item in enumerate(values):
            groups.setdefault(item.key, []).append(place)
        return [
            Group(places, (self._together([values[i] for i in places]),), [values[i].rows for i in places])
            for places in groups.values()
        ]

    def _together(self, items: Sequence[ArrayItem]) -> Any:
        import numpy  # noqa: PLC0415

        if all(item.rows is None for item in items):
            return self.to_argument(numpy.stack([item.array for item in items]))
        blocks = [item.array[None] if item.rows is None else item.array for item in items]
        return self.to_argument(numpy.concatenate(blocks))

    def single(self, value: Any) -> tuple[Any, ...]:
        array = value.array
        return (self.to_argument(array if array.flags.writeable else array.copy()),)

    # -- tasks ------------------------------------------------------------------------------------

    def task_data(self, payload: Payload) -> Any:
        return self.decode(payload).array

    def parse_task(self, task: InferenceTask) -> Any:
        item = self.item_of(self._unpacked(task.data), task.http_headers.is_batch_input)
        task.batch = item.rows
        return item

    def _unpacked(self, data: Any) -> Any:
        """Parsed JSON where `data` is its text; anything else as it is."""
        if isinstance(data, str):
            return loads(data.encode("utf-8", "surrogatepass"), self.limits)
        if isinstance(data, (bytes, bytearray)):
            return loads(bytes(data), self.limits)
        return data

    def merge_all(self, values: list[Any], tasks: Sequence[InferenceTask]) -> tuple[Any, ...]:
        """One array for all tasks; a task of another shape or type than the first one is discarded."""
        fitting = []
        for item, task in zip(values, tasks, strict=True):
            if item.key == values[0].key:
                fitting.append(item)
            else:
                text = f"{type(self).__name__}: its shape or type differs from the first item's"
                task.discard(text, http_status=400)
        return (self._together(fitting) if fitting else [],)
