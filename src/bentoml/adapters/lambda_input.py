"""Payloads from AWS Lambda events in the shape of API Gateway and application load balancers."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from bentoml.exceptions import BadInput
from bentoml.types import AwsLambdaEvent, Payload, RequestHead

_FRAMING = frozenset({"content-length", "transfer-encoding"})


def text_payload(event: AwsLambdaEvent) -> Payload:
    """The body as it is; decoded first when the event says `isBase64Encoded`."""
    body = event.get("body") or ""
    if isinstance(body, str):
        if event.get("isBase64Encoded"):
            return Payload(decode_base64(body), head_of(event))
        return Payload(body.encode("utf-8", "surrogatepass"), head_of(event, keep_charset=False))
    return Payload(bytes(body), head_of(event))


def binary_payload(event: AwsLambdaEvent) -> Payload:
    """The body decoded from base64, the only way such an event can carry binary data."""
    return Payload(decode_base64(event.get("body") or ""), head_of(event))


def form_payload(event: AwsLambdaEvent) -> Payload:
    """The body of a form, whose Content-Type is kept whole because it names the boundary."""
    body = event.get("body") or ""
    if isinstance(body, str):
        as_bytes = (
            decode_base64(body) if event.get("isBase64Encoded") else body.encode("utf-8", "surrogatepass")
        )
        return Payload(as_bytes, head_of(event))
    return Payload(bytes(body), head_of(event))


def head_of(event: AwsLambdaEvent, *, keep_charset: bool = True) -> RequestHead:
    headers: Mapping[str, Any] = event.get("headers") or {}
    out = {str(k): str(v) for k, v in headers.items() if str(k).lower() not in _FRAMING}
    if not keep_charset:  # text in the event was decoded already and is encoded as UTF-8 here
        out = {k: v.partition(";")[0] if k.lower() == "content-type" else v for k, v in out.items()}
    return RequestHead.build(out, str(event.get("httpMethod") or "POST"))


def decode_base64(body: str | bytes) -> bytes:
    try:
        return base64.b64decode(body, validate=False)
    except (binascii.Error, ValueError) as err:
        raise BadInput("The body of the event is not valid base64") from err
