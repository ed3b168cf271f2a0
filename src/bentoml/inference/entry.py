"""The entry points of `InferenceAPI` that users of the 0.13 line call from Python."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bentoml.adapters.base_input import payload_of_request
from bentoml.adapters.base_output import response_of_reply, result_of_reply
from bentoml.types import AwsLambdaEvent, HTTPRequest, HTTPResponse, InferenceResult, InferenceTask

from .cli_run import run_cli
from .lambda_event import handle_event
from .pipeline import Pipeline

if TYPE_CHECKING:
    from bentoml.service.inference_api import InferenceAPI


class ApiCalls:
    """One pipeline and what can be sent through it."""

    def __init__(self, api: InferenceAPI) -> None:
        self.api = api
        self.pipeline = Pipeline(api)

    def infer(self, tasks: Sequence[InferenceTask]) -> list[InferenceResult]:
        """One result per task, in order; a discarded task has its own error."""
        replies = self.pipeline.run_tasks(tasks)
        return [result_of_reply(r, task.task_id) for r, task in zip(replies, tasks, strict=True)]

    def handle_request(self, request: HTTPRequest) -> HTTPResponse:
        return self.handle_batch_request([request])[0]

    def handle_batch_request(self, requests: Sequence[HTTPRequest]) -> list[HTTPResponse]:
        replies = self.pipeline.run([payload_of_request(request) for request in requests])
        return [response_of_reply(reply) for reply in replies]

    def handle_cli(self, cli_args: Sequence[str]) -> int:
        return run_cli(self.api, cli_args)

    def handle_aws_lambda_event(self, event: AwsLambdaEvent) -> AwsLambdaEvent:
        return handle_event(self.api, event, self.pipeline)
