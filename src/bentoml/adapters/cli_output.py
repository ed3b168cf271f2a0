"""One finished item to one line of standard output."""

from __future__ import annotations

import base64
import json
import sys

from bentoml.types import Reply


def print_reply(reply: Reply, output: str = "json") -> int:
    """Write one line, the data or the error message; 1 for an error, else 0.

    Args:
        reply: the finished item.
        output: `json` puts a space after commas and colons as users of the 0.13 line know it,
            `str` writes the value as Python's `str` does, a text without its quotes.
    """
    text = text_of(reply.body)
    if not reply.error and reply.head.content_type.startswith("application/json"):
        text = spaced(text) if output == "json" else plain(text)
    sys.stdout.write(text + "\n")
    return 1 if reply.error else 0


def text_of(body: bytes) -> str:
    """The body as text; what is no text as the object `{"b64": …}` that JSON answers use for bytes."""
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return json.dumps({"b64": base64.b64encode(body).decode("ascii")})


def spaced(text: str) -> str:
    """JSON text with the spaces Python's `json` writes; other text unchanged."""
    try:
        return json.dumps(json.loads(text), ensure_ascii=False)
    except ValueError:
        return text


def plain(text: str) -> str:
    """The value of JSON text as `str` writes it; other text unchanged."""
    try:
        return str(json.loads(text))
    except ValueError:
        return text
