"""Several named files in one form, one argument each to the user function."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from bentoml.exceptions import BadInput
from bentoml.types import AwsLambdaEvent, FileLike, InferenceTask, Payload

from . import cli_form, lambda_input
from .base_input import BaseInputAdapter, Group
from .content import is_multipart, read_form
from .form_fields import FormFields, TextFields, form_fields
from .multipart import Part


class MultiFileInput(BaseInputAdapter):
    """A `multipart/form-data` request with one file per name.

    The user function gets one argument per name, in order: a tuple of `FileLike` each in batch mode,
    one `FileLike` each otherwise. Text fields, where declared, follow as `str`.

    Args:
        input_names: the form's file fields.
        allow_none: a file may be missing and is then None. A request needs at least one of them.
        text_fields: text fields that belong to the item: names a request must have, or a mapping of
            name to the default of a field that may be missing.
    """

    HTTP_METHODS: ClassVar[Sequence[str]] = ("POST",)

    def __init__(
        self,
        input_names: Sequence[str],
        allow_none: bool = False,
        text_fields: TextFields = (),
        http_input_example: Any = None,
        **base_config: Any,
    ) -> None:
        super().__init__(http_input_example=http_input_example, **base_config)
        self.allow_none = allow_none
        optional = input_names if allow_none else ()
        self.fields: FormFields = form_fields(input_names, text_fields, optional)

    @property
    def input_names(self) -> list[str]:
        return list(self.fields.files)

    @property
    def ARGUMENT_COUNT(self) -> int:
        """Positional arguments of the user function, for the check of its signature."""
        return len(self.fields.names)

    @property
    def config(self) -> dict[str, Any]:
        config = {**super().config, "input_names": self.input_names, "allow_none": self.allow_none}
        return {**config, **self._text_config()}

    def _text_config(self) -> dict[str, Any]:
        texts, needed = self.fields.texts, self.fields.needed_texts
        return {"text_fields": list(texts) if needed else dict(texts)} if texts else {}

    def decode(self, payload: Payload) -> Any:
        return self.convert_all(self.read_fields(payload))

    def read_fields(self, payload: Payload) -> tuple[Any, ...]:
        """Files and texts of a request, in order. Raises `BadInput`."""
        kind = type(self).__name__
        if not is_multipart(payload.head):
            raise BadInput(f"BentoML#{kind} only accepts requests with Content-Type: multipart/form-data")
        values = self.fields.read(self.read_parts(read_form(payload, self.limits)), kind)
        if all(value is None for value in values[: len(self.fields.files)]):
            raise BadInput(f"BentoML#{kind} requires inputs fields {self.input_names}: there is none of them")
        return values

    def read_parts(self, parts: Sequence[Part]) -> Sequence[Part]:
        """The parts of the form, before they are sorted into fields."""
        return parts

    def convert_all(self, values: Sequence[Any]) -> tuple[Any, ...]:
        """The arguments made from files and texts; an error of a file names its field."""
        out = list(values)
        for place, name in enumerate(self.fields.files):
            if values[place] is not None:
                try:
                    out[place] = self.convert(name, values[place])
                except BadInput as err:
                    raise type(err)(f"BentoML#{type(self).__name__}: field '{name}': {err}") from err
        return tuple(out)

    def convert(self, name: str, file: FileLike) -> Any:
        """The value of one file. Raises `BadInput`."""
        return file

    def merge(self, values: list[Any]) -> list[Group]:
        return [Group(range(len(values)), tuple(zip(*values, strict=True)), [None] * len(values))]

    def single(self, value: Any) -> tuple[Any, ...]:
        return tuple(value)

    # -- tasks and other sources ------------------------------------------------------------------

    def task_data(self, payload: Payload) -> Any:
        return self.read_fields(payload)

    def parse_task(self, task: InferenceTask) -> Any:
        return self.convert_all(task.data)

    def merge_all(self, values: list[Any], tasks: Sequence[InferenceTask]) -> tuple[Any, ...]:
        return tuple(zip(*values, strict=True)) if values else ((),) * len(self.fields.names)

    def add_cli_flags(self, parser: argparse.ArgumentParser) -> None:
        cli_form.add_form_flags(parser, self.fields)

    def payloads_of_flags(self, flags: argparse.Namespace) -> Iterator[Payload]:
        return cli_form.read_forms(flags, self.fields)

    def lambda_payload(self, event: AwsLambdaEvent) -> Payload:
        return lambda_input.form_payload(event)

    def default_schema(self) -> dict[str, Any]:
        return {"multipart/form-data": self.fields.schema()}
