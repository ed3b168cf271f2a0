"""`/feedback`: what a client says later about an answer it got."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from bentoml.observability.feedback import FeedbackLog
from bentoml.observability.logs import FEEDBACK

from .app_state import AppState
from .bodies import BodyRefused, read_body
from .endpoint import endpoint
from .errors import text_error

MAX_FEEDBACK_BYTES = 1024 * 1024
NOT_JSON = "Failed parsing feedback JSON data"
NO_REQUEST_ID = "Missing 'request_id' in feedback JSON data"


def feedback_routes(state: AppState) -> list[BaseRoute]:
    """The path, or nothing when feedback is disabled."""
    settings = state.settings
    if not settings.feedback.enabled:
        return []
    log = open_log(state)
    limit = min(MAX_FEEDBACK_BYTES, settings.server.max_request_size)

    async def feedback(request: Request) -> Response:
        try:
            body = await read_body(request, limit, settings.server.body_timeout_s)
            record = parse_feedback(body)
        except BodyRefused as refused:
            return text_error(refused.status, refused.message, {"Connection": "close"})
        except ValueError as err:
            return text_error(400, str(err))
        await run_in_threadpool(log.write, record)
        return Response("success", media_type="text/plain")

    return [endpoint("/feedback", feedback, "POST")]


def open_log(state: AppState) -> FeedbackLog:
    """feedback.log, or the logger of that name when there are no log files."""
    logs = state.settings.logging
    to_file = logs.file_enabled and not logs.advanced_enabled
    target = logs.directory / "feedback.log" if to_file else logging.getLogger(FEEDBACK)
    return FeedbackLog(target, state.descriptor.name, state.descriptor.version)


def parse_feedback(body: bytes) -> Mapping[str, Any]:
    """The posted object. Raises `ValueError` with 0.13's texts."""
    try:
        record = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise ValueError(NOT_JSON) from None
    if not isinstance(record, dict):
        raise ValueError(NOT_JSON)
    if not record.get("request_id"):
        raise ValueError(NO_REQUEST_ID)
    return record
