"""Tensors of the user function to JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bentoml.types import Reply

from .json_output import JsonOutput


class TfTensorOutput(JsonOutput):
    """A tensor whose first axis counts results, or a list of one tensor per result, as nested lists.

    Arguments are those of `JsonOutput`.
    """

    @property
    def pip_dependencies(self) -> list[str]:
        return ["tensorflow"]

    def encode(self, results: Any, rows: Sequence[int | None]) -> list[Reply]:
        if is_tensor(results):
            return super().encode(to_plain(results), rows)
        return super().encode([to_plain(value) for value in results], rows)


def is_tensor(value: Any) -> bool:
    """Whether `value` is a tensor of TensorFlow, without importing it to find out."""
    return type(value).__module__.startswith("tensorflow.") and hasattr(value, "shape")


def to_plain(value: Any) -> Any:
    """The NumPy array of a dense tensor, the lists of a ragged one; anything else as it is."""
    if not is_tensor(value):
        return value
    if hasattr(value, "to_list"):
        return value.to_list()
    return value.numpy() if hasattr(value, "numpy") else value
