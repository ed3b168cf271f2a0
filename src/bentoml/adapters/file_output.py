"""Bytes of the user function as a file: its content type and its name."""

from __future__ import annotations

import mimetypes
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bentoml.types import FileLike, Reply, ReplyHead, error_reply

from .base_output import BaseOutputAdapter
from .forms_output import one_per_item

_UNSAFE = re.compile(r'[^ -~]|["\\;%]')
_PACKED = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}
NOSNIFF = ("X-Content-Type-Options", "nosniff")


class FileOutput(BaseOutputAdapter):
    """One file per item: `bytes`, `str` (as UTF-8), a `FileLike` or an open file (both from their
    start), or the `pathlib.Path` of a file.

    Args:
        content_type: of every file; None goes by the file's name.
        filename: offered to the client; None takes the name of a `FileLike` or a path.
        inline: ask browsers to show the file; they are asked to save it otherwise.
    """

    def __init__(
        self,
        content_type: str | None = None,
        filename: str | None = None,
        inline: bool = False,
        cors: Any = None,
        **base_config: Any,
    ) -> None:
        super().__init__(cors=cors, **base_config)
        self.content_type = content_type
        self.filename = filename
        self.inline = inline

    @property
    def config(self) -> dict[str, Any]:
        own = {"content_type": self.content_type, "filename": self.filename, "inline": self.inline}
        return {**super().config, **own}

    def encode(self, results: Any, rows: Sequence[int | None]) -> list[Reply]:
        return [self._one(value) for value in one_per_item(results, rows, type(self).__name__)]

    def _one(self, value: Any) -> Reply:
        if isinstance(value, Reply):
            return value
        try:
            body, name = _content(value)
        except (OSError, TypeError, ValueError) as err:
            return error_reply(500, f"The result cannot be written as a file: {_reason(err)}")
        name = self.filename or name
        return Reply(ReplyHead(200, self._type(name, value), self._headers(name)), body)

    def _type(self, name: str, value: Any) -> str:
        found = self.content_type or _type_of_name(name)
        if found is None:
            return "text/plain; charset=utf-8" if isinstance(value, str) else "application/octet-stream"
        is_text = isinstance(value, str) and found.startswith("text/") and "charset" not in found
        return f"{found}; charset=utf-8" if is_text else found

    def _headers(self, name: str) -> tuple[tuple[str, str], ...]:
        return (("Content-Disposition", disposition(name, inline=self.inline)), NOSNIFF)

    def openapi_content(self) -> dict[str, Any]:
        return {self.content_type or "*/*": {"schema": {"type": "string", "format": "binary"}}}


def disposition(name: str, *, inline: bool) -> str:
    """A Content-Disposition; only the last part of `name` is told, whatever it holds."""
    kind = "inline" if inline else "attachment"
    last = "".join(c for c in _last_part(name) if unicodedata.category(c)[0] != "C")[:255]
    if last.strip(". ") == "":
        return kind
    plain = _UNSAFE.sub("_", last)
    if plain == last:
        return f'{kind}; filename="{plain}"'
    encoded = quote(last.encode("utf-8", "replace"), safe="")
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{encoded}"


def _last_part(name: str) -> str:
    return name.replace("\\", "/").rpartition("/")[2]


def _type_of_name(name: str) -> str | None:
    """The media type a name's ending stands for; that of the outer layer, for `data.csv.gz`."""
    found, packing = mimetypes.guess_type(f"./{_last_part(name)}")
    return found if packing is None else _PACKED.get(packing)


def _content(value: Any) -> tuple[bytes, str]:
    if isinstance(value, str):
        return value.encode("utf-8", "replace"), ""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value), ""
    if isinstance(value, FileLike) and value.bytes_ is not None:
        return value.bytes_, value.name
    if isinstance(value, Path):
        return value.read_bytes(), value.name
    if hasattr(value, "read"):
        return _read_whole(value.stream if isinstance(value, FileLike) else value, value)
    raise TypeError(f"a {type(value).__name__} is not bytes, str, a file or pathlib.Path")


def _read_whole(stream: Any, named: Any) -> tuple[bytes, str]:
    if hasattr(stream, "seekable") and stream.seekable():
        stream.seek(0)
    name = getattr(named, "name", "")
    return _content(stream.read())[0], name if isinstance(name, str) else ""


def _reason(err: Exception) -> str:
    """What went wrong, without the paths of this machine."""
    return (err.strerror or type(err).__name__) if isinstance(err, OSError) else str(err)
