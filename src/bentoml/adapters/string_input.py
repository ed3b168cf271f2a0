"""Text in, text to the user function."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from bentoml.types import InferenceTask, Payload

from . import cli_input
from .base_input import BaseInputAdapter
from .content import read_text
from .schemas import any_json


class StringInput(BaseInputAdapter):
    """The body as `str`: a list of them in batch mode, one otherwise.

    The charset of the Content-Type decides (default UTF-8); the type itself is not checked. A form
    with exactly one file is accepted too. An empty body is the empty string.
    """

    def decode(self, payload: Payload) -> Any:
        return read_text(payload, self.limits)

    def task_data(self, payload: Payload) -> Any:
        return read_text(payload, self.limits)

    def parse_task(self, task: InferenceTask) -> Any:
        data = task.data
        return bytes(data).decode("utf-8") if isinstance(data, (bytes, bytearray)) else data

    def payloads_of_flags(self, flags: argparse.Namespace) -> Iterator[Payload]:
        return map(cli_input.with_detected_charset, super().payloads_of_flags(flags))

    def default_schema(self) -> dict[str, Any]:
        return {
            "text/plain": {"schema": {"type": "string"}},
            "application/json": {"schema": any_json(self._example)},
        }
