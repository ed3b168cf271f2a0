"""Rows as forms, for APIs that read several named files: `MultiFileInput` and those made from it.

A column for each field. The text in the column of a file is its path or URL; bytes are the file
itself, and an object with `bytes` and `path` is a file with its name. What is neither, such as the
annotations of an image in a JSON line, is a file that holds it as JSON.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from bentoml.adapters.form_fields import FormFields
from bentoml.adapters.form_writer import build_form
from bentoml.adapters.json_codec import dumps
from bentoml.adapters.multipart import Part
from bentoml.exceptions import InvalidArgument
from bentoml.types import Payload, Reply, RequestHead, error_reply

from .locations import open_for_reading


def forms_of_rows(batch: Any, fields: FormFields) -> list[Payload | Reply]:
    """One form per row of a table, or the error of a file that cannot be read."""
    return [_form(row, fields) for row in batch.to_pylist()]


def forms_of_lines(lines: list[bytes], fields: FormFields) -> list[Payload | Reply]:
    """The same for JSON objects, one per line."""
    return [_form_of_line(line, fields) for line in lines]


def read_file(path: str) -> Payload | Reply:
    """A file as an item, with its name."""
    try:
        return Payload(_content(path), name=_name_of(path))
    except InvalidArgument as err:
        return error_reply(400, str(err))


def _form_of_line(line: bytes, fields: FormFields) -> Payload | Reply:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as err:
        return error_reply(400, f"Not a valid JSON format: {err}")
    if not isinstance(row, dict):
        return error_reply(400, f"A row is a JSON object with the fields {', '.join(fields.names)}")
    return _form(row, fields)


def _form(row: Mapping[str, Any], fields: FormFields) -> Payload | Reply:
    try:
        body, kind = build_form(_parts(row, fields))
    except InvalidArgument as err:
        return error_reply(400, str(err))
    return Payload(body, RequestHead.build({"Content-Type": kind}))


def _parts(row: Mapping[str, Any], fields: FormFields) -> Iterator[Part]:
    for name in fields.names:
        value = row.get(name)
        if value is None:
            continue
        if name in fields.files:
            yield _file_part(name, value)
        else:
            yield Part(name, None, "", value.encode() if isinstance(value, str) else dumps(value))


def _file_part(name: str, value: Any) -> Part:
    if isinstance(value, dict) and value.keys() == {"bytes", "path"}:
        path = value["path"] or ""
        if value["bytes"] is None:
            return Part(name, _name_of(path), "", _content(path))
        return Part(name, _name_of(path), "", value["bytes"])
    if isinstance(value, str):
        return Part(name, _name_of(value), "", _content(value))
    if isinstance(value, bytes):
        return Part(name, "", "", value)
    return Part(name, f"{name}.json", "application/json", dumps(value))


def _name_of(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]


def _content(path: str) -> bytes:
    """Raises `InvalidArgument`."""
    try:
        with open_for_reading(path, compression=None) as stream:
            return stream.read()
    except OSError as err:
        raise InvalidArgument(f"Cannot read input file '{path}': {err.strerror or err}") from err
