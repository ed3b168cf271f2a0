"""Calls with the API's own example before a worker says that it is ready.

The first calls of a model pay for imports, caches and compiled kernels; no client should. The times
of the calls after them go to the front with the worker's greeting, so that it knows what a batch costs
before the first request comes. A warm-up that fails is a warning, never a reason not to serve: the
example may be for readers only.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import TYPE_CHECKING

from bentoml.types import Payload, Reply, RequestHead

if TYPE_CHECKING:
    from bentoml.service.inference_api import InferenceAPI

logger = logging.getLogger("bentoml.worker")

JSON = "application/json"
Run = Callable[[Sequence[Payload]], list[Reply]]
Sample = tuple[int, float]


def warm_up(api: InferenceAPI, run: Run, largest: int) -> list[Sample]:
    """Run the example of `api`, if it has one that can be sent.

    Single requests first, then a batch, each until its first call is behind.

    Args:
        run: sends payloads through the API's pipeline.
        largest: requests in the largest batch that is tried.

    Returns:
        (size, seconds) of the calls that were not the first of their size.
    """
    payload = example_payload(api)
    if payload is None:
        return []
    top = min(largest, api.mb_max_batch_size) if api.batch else 1
    samples: list[Sample] = []
    seen = 0
    for size in (1, 1, 1, top, top) if top > 1 else (1, 1):
        started = perf_counter()
        failed = next((reply for reply in run([payload] * size) if reply.error), None)
        if failed is not None:
            text = failed.body[:500].decode("utf-8", "replace")
            logger.warning("Warm-up of API '%s' with its example failed: %s", api.name, text)
            return samples
        if size == seen:
            samples.append((size, perf_counter() - started))
        seen = size
    logger.debug("API '%s' is warm: %s", api.name, samples)
    return samples


def example_payload(api: InferenceAPI) -> Payload | None:
    """The example as a request, None when there is none or when it is no body as it stands.

    Bytes are sent as they are, text to an adapter that takes text first, and everything else as JSON to
    an adapter that takes JSON.
    """
    example = api.example
    if example is None:
        return None
    content = list(api.input_adapter.openapi_content())
    kind = content[0] if content else "application/octet-stream"
    if isinstance(example, (bytes, bytearray)):
        return _payload(bytes(example), kind)
    if isinstance(example, str) and kind.startswith("text/"):
        return _payload(example.encode(), f"{kind}; charset=utf-8")
    if JSON not in content:
        return None
    try:
        return _payload((example if _is_document(example) else json.dumps(example)).encode(), JSON)
    except (TypeError, ValueError):
        logger.warning("The example of API '%s' is no JSON value; it is not used", api.name)
        return None


def _is_document(example: object) -> bool:
    """Whether an example is the text of a JSON list or object, not a value."""
    if not isinstance(example, str):
        return False
    try:
        return isinstance(json.loads(example), (list, dict))
    except ValueError:
        return False


def _payload(body: bytes, content_type: str) -> Payload:
    return Payload(body, RequestHead.build({"Content-Type": content_type}), "warm-up")
