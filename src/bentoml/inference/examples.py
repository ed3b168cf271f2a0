"""Requests with the answers they had when a service was saved, as one JSON document in the bundle."""

from __future__ import annotations

import base64
import binascii
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from bentoml.exceptions import BundleCorrupted, InvalidArgument
from bentoml.types import Payload, Reply, ReplyHead, RequestHead

from .batch_check import payload_runner
from .session import Session

if TYPE_CHECKING:
    from bentoml.service.base import BentoService

logger = logging.getLogger("bentoml")

FORMAT = 1
Examples = Mapping[str, Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Example:
    """One request of one API, and the answer to it."""

    api: str
    payload: Payload
    reply: Reply


def record_examples(service: BentoService, examples: Examples) -> str:
    """Run every input through its API as a request of its own; the document with inputs and answers.

    Args:
        examples: API name → inputs: bytes as they are, tables and arrays and other values as JSON, or
            `Payload`s with header fields of their own.

    Raises:
        InvalidArgument: no such API, no list, or the function fails on an input.
    """
    recorded: list[Example] = []
    with Session(service) as session:
        for name, inputs in _checked(service, examples).items():
            api = service.get_inference_api(name)
            run = payload_runner(api, session)
            for number, value in enumerate(inputs):
                payload = payload_of(value)
                (reply,) = run([payload])
                _check_reply(reply, name, number)
                recorded.append(Example(name, payload, reply))
    return examples_text(recorded)


def payload_of(value: Any) -> Payload:
    """The request that a client would send for this value."""
    if isinstance(value, Payload):
        return value
    if isinstance(value, (bytes, bytearray)):
        return Payload(bytes(value))
    head = RequestHead.build({"Content-Type": "application/json"})
    if hasattr(value, "to_json") and hasattr(value, "columns"):  # a pandas DataFrame
        return Payload(value.to_json(orient="records").encode(), head)
    try:
        return Payload(json.dumps(value, default=_as_json).encode(), head)
    except (TypeError, ValueError) as err:
        raise InvalidArgument(
            f"An example of type {type(value).__name__} cannot be sent as JSON: {err}. Give bytes, or a "
            "bentoml.types.Payload"
        ) from err


def examples_text(examples: Sequence[Example]) -> str:
    rows = [
        {
            "api": example.api,
            "request": {"head": example.payload.head.raw.decode("latin-1"), **_body(example.payload.body)},
            "answer": {
                "status": example.reply.head.status,
                "content_type": example.reply.head.content_type,
                "headers": [list(pair) for pair in example.reply.head.headers],
                **_body(example.reply.body),
            },
        }
        for example in examples
    ]
    return json.dumps({"format": FORMAT, "examples": rows}, indent=1, ensure_ascii=False) + "\n"


def read_examples(text: str) -> list[Example]:
    """The document back as data. Raises `BundleCorrupted`."""
    try:
        document = json.loads(text)
        if document["format"] != FORMAT:
            raise ValueError(f"format {document['format']!r} is not {FORMAT}, the one known here")
        return [_example(row) for row in document["examples"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error) as err:
        raise BundleCorrupted(f"The bundle's examples cannot be read ({type(err).__name__}: {err})") from err


def _checked(service: BentoService, examples: Examples) -> Examples:
    if not isinstance(examples, Mapping):
        raise InvalidArgument(
            f"examples is a dictionary of API names and lists of inputs, not {type(examples).__name__}"
        )
    names = [api.name for api in service.inference_apis]
    for name, inputs in examples.items():
        if name not in names:
            close = get_close_matches(str(name), names, n=1)
            hint = f" Did you mean '{close[0]}'?" if close else f" Its APIs: {', '.join(names) or 'none'}"
            raise InvalidArgument(f"examples: {service.name} has no API '{name}'.{hint}")
        if isinstance(inputs, (str, bytes)) or not isinstance(inputs, Sequence):
            raise InvalidArgument(
                f"examples: the inputs of '{name}' are a list, one entry for each request, not a "
                f"{type(inputs).__name__}"
            )
    return examples


def _check_reply(reply: Reply, name: str, number: int) -> None:
    if reply.head.status < 400:
        return
    shown = reply.body.decode("utf-8", "replace")[:300]
    if reply.head.status >= 500:
        raise InvalidArgument(
            f"Example {number} of API '{name}' fails, so nothing was saved: {reply.head.status} {shown}"
        )
    logger.warning(
        "Example %d of API '%s' is refused, and is kept as such: %d %s",
        number,
        name,
        reply.head.status,
        shown,
    )


def _as_json(value: Any) -> Any:
    if callable(getattr(value, "tolist", None)):  # numpy arrays and numbers
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} is no JSON")


def _body(body: bytes) -> dict[str, str]:
    try:
        return {"text": body.decode("utf-8")}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(body).decode()}


def _bytes(row: dict[str, Any]) -> bytes:
    text = row.get("text")
    return str(text).encode() if text is not None else base64.b64decode(row["base64"], validate=True)


def _example(row: dict[str, Any]) -> Example:
    request, answer = row["request"], row["answer"]
    pairs = tuple((str(name), str(value)) for name, value in answer["headers"])
    head = ReplyHead(int(answer["status"]), str(answer["content_type"]), pairs)
    payload = Payload(_bytes(request), RequestHead(str(request["head"]).encode("latin-1")))
    return Example(str(row["api"]), payload, Reply(head, _bytes(answer), head.status >= 400))
