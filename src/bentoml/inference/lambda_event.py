"""AWS Lambda events through the pipeline."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bentoml.adapters.base_input import is_foreign
from bentoml.exceptions import BadInput
from bentoml.types import AwsLambdaEvent, Reply, error_reply

from .pipeline import Pipeline

if TYPE_CHECKING:
    from bentoml.service.inference_api import InferenceAPI


def handle_event(
    api: InferenceAPI, event: AwsLambdaEvent, pipeline: Pipeline | None = None
) -> AwsLambdaEvent:
    """Answer one API Gateway or load balancer event.

    Raises:
        RuntimeError: the event did not come over HTTP.
    """
    found: Any = event
    if not isinstance(found, Mapping) or not {"headers", "body"} <= set(found):
        raise RuntimeError(
            "BentoML only supports AWS Lambda events from HTTP sources: a dict with 'headers' and 'body'"
        )
    pipeline = pipeline or Pipeline(api)
    adapter = api.input_adapter
    if is_foreign(adapter, "from_aws_lambda_event"):
        return to_event(pipeline.run_tasks([adapter.from_aws_lambda_event(event)])[0])
    try:
        payload = adapter.lambda_payload(event)
    except BadInput as err:
        return to_event(error_reply(err.http_status, str(err)))
    return to_event(pipeline.run([payload])[0])


def to_event(reply: Reply) -> AwsLambdaEvent:
    """The answer in the shape API Gateway sends on; binary bodies are marked and base64."""
    headers = {"Access-Control-Allow-Origin": "*", **dict(reply.head.headers)}
    if reply.head.content_type and not reply.error:
        headers["Content-Type"] = reply.head.content_type
    event: AwsLambdaEvent = {"statusCode": reply.head.status, "headers": headers}
    try:
        event["body"] = reply.body.decode("utf-8")
    except UnicodeDecodeError:
        event["body"] = base64.b64encode(reply.body).decode("ascii")
        event["isBase64Encoded"] = True
    return event
