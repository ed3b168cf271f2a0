"""Values that travel between user code, adapters and the execution core.

Two layers meet here. `Payload` and `Reply` are what the core moves: bytes and small shared heads,
one object an item, nothing copied. `InferenceTask`, `InferenceResult` and `HTTPHeaders` are the
0.13 names users see when a function asks for `task`/`tasks` or builds its own results; they are
made only when somebody asks for them. Standard library only.
"""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property, partial
from itertools import repeat
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeAlias

from .exceptions import InvalidArgument
from .http_headers import HTTPHeaders as HTTPHeaders  # noqa: PLC0414 - users import it from here

JsonSerializable: TypeAlias = Any
AwsLambdaEvent: TypeAlias = dict[str, Any]


class RequestHead:
    """Method and header fields of a request, shared by every request that sent the same bytes.

    Args:
        raw: `b"POST\\r\\nname: value\\r\\n…"`, the form in which a head crosses to a worker.
    """

    def __init__(self, raw: bytes = b"POST\r\n") -> None:
        self.raw = raw

    @classmethod
    def build(cls, headers: Mapping[str, str] | None = None, method: str = "POST") -> RequestHead:
        lines = [method, *(f"{k}: {v}" for k, v in (headers or {}).items()), ""]
        return cls("\r\n".join(lines).encode("latin-1"))

    @cached_property
    def method(self) -> str:
        return self.raw.partition(b"\r\n")[0].decode("latin-1")

    @cached_property
    def headers(self) -> HTTPHeaders:
        pairs = []
        for line in self.raw.split(b"\r\n")[1:]:
            name, colon, value = line.decode("latin-1").partition(":")
            if colon:
                pairs.append((name, value.strip()))
        return HTTPHeaders(pairs)

    @cached_property
    def content_type(self) -> str:
        return self.headers.content_type

    @cached_property
    def charset(self) -> str | None:
        return self.headers.charset

    @cached_property
    def content_encoding(self) -> str:
        return self.headers.content_encoding

    @cached_property
    def accept(self) -> str:
        """The `Accept` header, `""` when there is none."""
        return ", ".join(self.headers.get_all("accept"))

    @cached_property
    def is_plain(self) -> bool:
        """No content encoding, no charset but UTF-8, not multipart: the body can be parsed as it is."""
        return (
            self.content_encoding in ("", "identity")
            and (self.charset is None or self.charset.lower() in ("utf-8", "utf8"))
            and not self.content_type.startswith("multipart/")
        )


EMPTY_HEAD = RequestHead()


class Payload(NamedTuple):
    """One item on its way to user code: what a client, a file or a test gave, undecoded.

    `name` is the file name when the item came from a file, else `""`. `request_id` is `""` when
    nobody needs one.
    """

    body: bytes
    head: RequestHead = EMPTY_HEAD
    request_id: str = ""
    name: str = ""


def payloads_of(bodies: Iterable[bytes], heads: Iterable[RequestHead], ids: Iterable[str]) -> list[Payload]:
    """`Payload(body, head, id)` of each, at a third of the price of as many calls."""
    return list(map(_make_payload, zip(bodies, heads, ids, repeat(""), strict=False)))


_make_payload: Callable[[tuple[bytes, RequestHead, str, str]], Payload] = partial(tuple.__new__, Payload)


class ReplyHead(NamedTuple):
    """What the bodies of one kind of answer have in common; made once, shared by all of them."""

    status: int = 200
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


class Reply(NamedTuple):
    """One finished item. `error` is True when `body` is an error message (exit code 1 in the CLI)."""

    head: ReplyHead
    body: bytes
    error: bool = False


def replies_of(head: ReplyHead, bodies: Iterable[bytes]) -> list[Reply]:
    """`Reply(head, body)` of each body, at a third of the price of as many calls."""
    return list(map(_make_reply, zip(repeat(head), bodies, repeat(False), strict=False)))


_make_reply: Callable[[tuple[ReplyHead, bytes, bool]], Reply] = partial(tuple.__new__, Reply)


def error_reply(status: int, message: str) -> Reply:
    """An error in the one shape every part uses: the message as plain text (as in 0.13)."""
    return Reply(_error_head(status), message.encode("utf-8", "replace"), True)


def _error_head(status: int) -> ReplyHead:
    head = _ERROR_HEADS.get(status)
    if head is None:
        head = _ERROR_HEADS[status] = ReplyHead(status, "text/plain; charset=utf-8")
    return head


_ERROR_HEADS: dict[int, ReplyHead] = {}


class FileLike:
    """A named stream of bytes, from an upload, a path or memory.

    Args:
        bytes_: the content itself.
        uri: a plain path or `file://` URI, opened on first read.
        name: the client's file name; text for display, never part of a path here.
    """

    def __init__(
        self,
        bytes_: bytes | None = None,
        uri: str | None = None,
        name: str | None = None,
        _stream: IO[bytes] | None = None,
    ) -> None:
        self.bytes_ = bytes_
        self.uri = uri
        self._stream = _stream
        self.name = name if name is not None else (Path(self.path).name if uri else "")

    @property
    def path(self) -> str:
        """The local path of `uri`. Raises `InvalidArgument` for any other kind of URI."""
        uri = self.uri or ""
        if uri.startswith("file://"):
            return uri.removeprefix("file://")
        if "://" in uri:
            raise InvalidArgument(f"FileLike opens plain paths and file:// URIs, not '{uri[:64]}'")
        return uri

    @property
    def stream(self) -> IO[bytes]:
        if self._stream is None:
            if self.bytes_ is not None:
                self._stream = io.BytesIO(self.bytes_)
            elif self.uri:
                self._stream = open(self.path, "rb")  # noqa: SIM115 - closed by close()
            else:
                self._stream = io.BytesIO()
        return self._stream

    def read(self, size: int = -1) -> bytes:
        return self.stream.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self.stream.seek(offset, whence)

    def tell(self) -> int:
        return self.stream.tell()

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()

    def __enter__(self) -> FileLike:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


@dataclass
class HTTPRequest:
    """A request as custom adapters of the 0.13 line see it (`from_http_request`)."""

    headers: HTTPHeaders = field(default_factory=HTTPHeaders)
    body: bytes = b""
    method: str = "POST"


@dataclass
class HTTPResponse:
    """A response as custom output adapters of the 0.13 line build it (`to_http_response`)."""

    status: int = 200
    headers: HTTPHeaders = field(default_factory=HTTPHeaders)
    body: bytes | str = b""

    @classmethod
    def new(
        cls,
        status: int = 200,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        body: bytes | str = b"",
    ) -> HTTPResponse:
        return cls(status, HTTPHeaders(headers), body)


class _JsonFields:
    """`to_json` of tasks and results: every field that differs from its default."""

    def to_json(self) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for spec in fields(self):  # type: ignore[arg-type]
            value = getattr(self, spec.name)
            if spec.name != "task_id" and value == _default_of(spec):
                continue
            if value is None:
                continue
            out[spec.name] = value.to_json() if hasattr(value, "to_json") else _jsonable(value)
        return out


def _default_of(spec: Any) -> Any:
    factory = spec.default_factory
    return factory() if callable(factory) else spec.default


def _jsonable(value: Any) -> Any:
    if isinstance(value, FileLike):
        return {"name": value.name, "uri": value.uri}
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).decode("utf-8", "replace")
    if isinstance(value, (list, tuple)):
        return [_jsonable(v) for v in value]
    return value


@dataclass
class InferenceResult(_JsonFields):
    """A finished answer that user code builds itself.

    `data` is the body, text or bytes, sent unencoded. `http_status` keeps the 0.13 default of 501,
    so a result must name its status.
    """

    version: int = 0
    data: Any = None
    err_msg: str = ""
    task_id: str | None = None
    http_status: int = 501
    http_headers: HTTPHeaders = field(default_factory=HTTPHeaders)
    aws_lambda_event: AwsLambdaEvent | None = None
    cli_status: int | None = 0

    def __post_init__(self) -> None:
        headers: Any = self.http_headers  # users pass plain dicts too
        if not isinstance(headers, HTTPHeaders):
            self.http_headers = HTTPHeaders(headers)


@dataclass
class InferenceError(InferenceResult):
    """An answer that says what went wrong; `err_msg` becomes the body."""

    http_status: int = 500
    cli_status: int | None = 1


@dataclass
class InferenceTask(_JsonFields):
    """One item as user code sees it when its function takes `task` or `tasks`.

    `batch` is the number of rows (or instances) of this item for tabular adapters, else None.
    """

    version: int = 0
    data: Any = None
    error: InferenceResult | None = None
    task_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    is_discarded: bool = False
    batch: int | None = None
    http_method: str | None = None
    http_headers: HTTPHeaders = field(default_factory=HTTPHeaders)
    aws_lambda_event: AwsLambdaEvent | None = None
    cli_args: Any = None
    inference_job_args: Mapping[str, Any] | None = None

    def discard(self, err_msg: str = "", **context: Any) -> InferenceTask:
        """Answer this item with an error and leave it out of the results.

        Args:
            err_msg: the body of the answer.
            context: further fields of `InferenceError`, usually `http_status=400`.
        """
        self.is_discarded = True
        self.error = InferenceError(err_msg=err_msg, task_id=self.task_id, **context)
        return self
