"""One file in, a `FileLike` to the user function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from bentoml.exceptions import BadInput
from bentoml.types import AwsLambdaEvent, FileLike, InferenceTask, Payload

from . import lambda_input
from .base_input import BaseInputAdapter, Group
from .content import is_multipart, read_body, read_form
from .schemas import BINARY, one_file


class FileInput(BaseInputAdapter):
    """A raw body of any type, or a form with exactly one file.

    Batch mode passes a tuple of `FileLike`. A raw body has the name `""`; a form keeps the name the
    client sent, which is text and never a path here. An empty raw body is an error, an empty file
    in a form is an empty file.
    """

    HTTP_METHODS: ClassVar[Sequence[str]] = ("POST",)

    def decode(self, payload: Payload) -> Any:
        return self.read_file(payload)

    def read_file(self, payload: Payload) -> FileLike:
        """The one file of a request. Raises `BadInput`."""
        kind = type(self).__name__
        if is_multipart(payload.head):
            files = [part for part in read_form(payload, self.limits) if part.is_file]
            if len(files) != 1:
                raise BadInput(
                    f"BentoML#{kind} requires one and at least one file at a time, "
                    f"this form has {len(files)} files"
                )
            return FileLike(bytes_=files[0].data, name=files[0].filename or "")
        body = read_body(payload, self.limits)
        if not body:
            raise BadInput(f"BentoML#{kind} unexpected HTTP request format: the body is empty")
        return FileLike(bytes_=body, name=payload.name)

    def merge(self, values: list[Any]) -> list[Group]:
        return [Group(range(len(values)), (tuple(values),), [None] * len(values))]

    def merge_all(self, values: list[Any], tasks: Sequence[InferenceTask]) -> tuple[Any, ...]:
        return (tuple(values),)

    def task_data(self, payload: Payload) -> Any:
        return self.read_file(payload)

    def lambda_payload(self, event: AwsLambdaEvent) -> Payload:
        return lambda_input.binary_payload(event)

    def default_schema(self) -> dict[str, Any]:
        return {"multipart/form-data": one_file("file"), "*/*": {"schema": dict(BINARY)}}
