"""Parts to a `multipart/form-data` body, for items of the command line that have several files."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from .multipart import Part


def build_form(parts: Iterable[Part]) -> tuple[bytes, str]:
    """The body and its Content-Type; `parse_form` of them gives `parts` again."""
    parts = list(parts)
    boundary = uuid.uuid4().hex
    mark = f"--{boundary}".encode("ascii")
    if not parts:
        return mark + b"--\r\n", f"multipart/form-data; boundary={boundary}"
    chunks: list[bytes] = []
    for part in parts:
        chunks += [mark, b"\r\n", _head(part), b"\r\n\r\n", part.data, b"\r\n"]
    return b"".join([*chunks, mark, b"--\r\n"]), f"multipart/form-data; boundary={boundary}"


def _head(part: Part) -> bytes:
    text = f'Content-Disposition: form-data; name="{_quoted(part.name)}"'
    if part.filename is not None:
        text += f'; filename="{_quoted(part.filename)}"'
    if part.content_type:
        text += f"\r\nContent-Type: {part.content_type}"
    return text.encode("utf-8", "replace")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return escaped.replace("\r", " ").replace("\n", " ")
