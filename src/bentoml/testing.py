"""Call a service's APIs in a test as a client would, without a socket or a process.

    client = Client(IrisClassifier().pack("model", model))
    assert client.post("/predict", json=[5.1, 3.5, 1.4, 0.2]).json() == 0

A request goes through the same decode, function and encode steps as on a server, and gets the same
status and body. `post_many` puts several requests into one micro-batch, and `check_batching` finds
out whether a batch changes anybody's answer:

    assert check_batching(service, "predict", rows).ok
"""

from __future__ import annotations

import json as json_module
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlencode

from bentoml.adapters.limits import DEFAULT_LIMITS, DecodeLimits
from bentoml.exceptions import BentoMLException
from bentoml.inference.answer_diff import Tolerance
from bentoml.inference.batch_check import BatchReport, check_batching
from bentoml.inference.pipeline import Pipeline
from bentoml.inference.session import Session
from bentoml.types import HTTPHeaders, Payload, Reply, RequestHead, error_reply

if TYPE_CHECKING:
    from bentoml.service.base import BentoService
    from bentoml.service.inference_api import InferenceAPI

__all__ = [
    "BatchReport",
    "Client",
    "HTTPStatusError",
    "Request",
    "Response",
    "Tolerance",
    "check_batching",
]

FileValue = bytes | str | IO[bytes] | tuple[Any, ...]


class HTTPStatusError(BentoMLException):
    """`raise_for_status` of an answer that is an error."""


@dataclass(frozen=True)
class Response:
    """One answer. `content` is its body in bytes."""

    status_code: int
    headers: HTTPHeaders
    content: bytes

    @cached_property
    def text(self) -> str:
        return self.content.decode(self.headers.charset or "utf-8", "replace")

    @property
    def ok(self) -> bool:
        return self.status_code < 400

    def json(self) -> Any:
        return json_module.loads(self.content)

    def raise_for_status(self) -> Response:
        """This response. Raises `HTTPStatusError` with the body if the status is 400 or more."""
        if not self.ok:
            raise HTTPStatusError(f"{self.status_code}: {self.text[:500]}")
        return self


@dataclass(frozen=True)
class Request:
    """A request for `Client.send_many`; `build` takes the arguments of `Client.post`."""

    body: bytes
    headers: Mapping[str, str]
    method: str = "POST"

    @classmethod
    def build(
        cls,
        *,
        json: Any = None,
        data: bytes | str | Mapping[str, str] | None = None,
        files: Mapping[str, FileValue] | None = None,
        headers: Mapping[str, str] | None = None,
        method: str = "POST",
    ) -> Request:
        """Encode a body as HTTP clients do.

        Args:
            json: any JSON value but None; send `data="null"` for that.
            data: the body itself, or form fields.
            files: form field → bytes, text, open file, or `(name, content[, content type])`.
            headers: win over the Content-Type made here.
        """
        if files:
            fields = data if isinstance(data, Mapping) else {}
            body, kind = _form(fields, files)
        elif isinstance(data, Mapping):
            body, kind = urlencode(data).encode(), "application/x-www-form-urlencoded"
        elif data is not None:
            body, kind = (data.encode("utf-8") if isinstance(data, str) else bytes(data)), ""
        elif json is not None:
            body, kind = json_module.dumps(json).encode("utf-8"), "application/json"
        else:
            body, kind = b"", ""
        found = {"Content-Type": kind} if kind else {}
        own = {name.lower() for name in headers or ()}
        found = {name: value for name, value in found.items() if name.lower() not in own}
        return cls(body, {**found, **(headers or {})}, method)


class Client:
    """Sends requests to the APIs of one service instance.

    Worker start hooks run when the client is made, stop hooks when it is closed; it can be used as
    a context manager. Async functions and hooks run on one event loop that lives as long.

    Args:
        service: the packed service.
        limits: bounds on decoding, as the server has them.
    """

    def __init__(self, service: BentoService, limits: DecodeLimits = DEFAULT_LIMITS) -> None:
        self.service = service
        self.limits = limits
        self._session = Session(service)
        self._apis = {api.route.strip("/"): api for api in service.inference_apis}
        self._pipelines: dict[str, Pipeline] = {}
        self._session.open()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Run the stop hooks and end the event loop."""
        self._session.close()

    def get(self, path: str, **request: Any) -> Response:
        return self.request("GET", path, **request)

    def post(self, path: str, **request: Any) -> Response:
        """Send one request: `json=`, `data=`, `files=`, `headers=` as in `Request.build`."""
        return self.request("POST", path, **request)

    def request(self, method: str, path: str, **request: Any) -> Response:
        return self.send_many(path, [Request.build(method=method, **request)])[0]

    def post_many(self, path: str, bodies: Sequence[Mapping[str, Any]]) -> list[Response]:
        """One request per dict of `post` arguments, all in one micro-batch."""
        return self.send_many(path, [Request.build(**body) for body in bodies])

    def send_many(self, path: str, requests: Sequence[Request]) -> list[Response]:
        """Answers to requests for one API that arrive together, in order."""
        route = path.split("?", maxsplit=1)[0].strip("/")
        api = self._apis.get(route)
        if api is None:
            known = ", ".join(f"/{name}" for name in sorted(self._apis))
            return [_response(error_reply(404, f"No API at '/{route}'; there is {known}")) for _ in requests]
        replies: list[Reply | None] = [self._refusal(api, request) for request in requests]
        open_items = [i for i, reply in enumerate(replies) if reply is None]
        payloads = [_payload(requests[i]) for i in open_items]
        for item, reply in zip(open_items, self._run(api, payloads), strict=True):
            replies[item] = reply
        return [_response(reply) for reply in replies if reply is not None]

    def _refusal(self, api: InferenceAPI, request: Request) -> Reply | None:
        if request.method not in api.http_methods:
            allowed = ", ".join(api.http_methods)
            refused = error_reply(405, f"Method {request.method} is not allowed; allowed: {allowed}")
            return refused._replace(head=refused.head._replace(headers=(("Allow", allowed),)))
        if len(request.body) > self.limits.max_body_bytes:
            return error_reply(413, f"The body is over {self.limits.max_body_bytes} bytes")
        return None

    def _run(self, api: InferenceAPI, payloads: Sequence[Payload]) -> list[Reply]:
        pipeline = self._pipelines.get(api.route)
        if pipeline is None:
            pipeline = self._pipelines[api.route] = Pipeline(api, self.limits)
        if api.is_async:
            return self._session.wait_for(lambda: pipeline.run_async(payloads))
        return pipeline.run(payloads)


def _payload(request: Request) -> Payload:
    return Payload(request.body, RequestHead.build(request.headers, request.method), str(uuid.uuid4()))


def _response(reply: Reply) -> Response:
    pairs = [("Content-Type", reply.head.content_type), *reply.head.headers]
    return Response(reply.head.status, HTTPHeaders(pairs), reply.body)


def _form(fields: Mapping[str, str], files: Mapping[str, FileValue]) -> tuple[bytes, str]:
    boundary = uuid.uuid4().hex
    lines: list[bytes] = []
    for field, value in fields.items():
        lines.append(_part_head(boundary, field, None, "") + str(value).encode("utf-8"))
    for field, item in files.items():
        name, content, kind = _file(field, item)
        lines.append(_part_head(boundary, field, name, kind) + content)
    body = b"\r\n".join([*lines, f"--{boundary}--\r\n".encode()])
    return body, f"multipart/form-data; boundary={boundary}"


def _part_head(boundary: str, field: str, filename: str | None, kind: str) -> bytes:
    text = f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(field)}"'
    if filename is not None:
        text += f'; filename="{_quoted(filename)}"'
    if kind:
        text += f"\r\nContent-Type: {kind}"
    return f"{text}\r\n\r\n".encode()


def _quoted(text: str) -> str:
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def _file(field: str, item: FileValue) -> tuple[str, bytes, str]:
    kind = "application/octet-stream"
    name: Any = field
    content: Any = item
    if isinstance(item, tuple):
        name, content = item[0], item[1]
        kind = item[2] if len(item) > 2 else kind
    elif hasattr(item, "name"):
        name = str(item.name).rpartition("/")[2]
    if hasattr(content, "read"):
        content = content.read()
    return str(name), content.encode("utf-8") if isinstance(content, str) else bytes(content), kind
