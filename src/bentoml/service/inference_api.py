"""One API of one service instance: what the server, the CLI and the tests call.

The numbers and adapters are those `@api` recorded; only the function is bound to the instance here.
Work on requests is done by `bentoml.inference`, imported when the first request comes, because this
module is read by everybody who only writes a service.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from bentoml.exceptions import BentoMLConfigException

from .spec import ApiSpec

if TYPE_CHECKING:
    from bentoml.adapters.base_input import BaseInputAdapter
    from bentoml.adapters.base_output import BaseOutputAdapter
    from bentoml.types import AwsLambdaEvent, HTTPRequest, HTTPResponse, InferenceResult, InferenceTask

    from .base import BentoService


class InferenceAPI:
    """How one function of a service is reached and called.

    Attributes:
        route: URL path without its leading slash.
        mb_max_latency: latency goal of a micro-batch, milliseconds.
        mb_max_batch_size: most requests in one micro-batch.
        max_batch_rows: most rows in one micro-batch, None for no limit.
        max_concurrency: calls one worker may have running at the same time.
        timeout_s: seconds a client waits at most; None for the server's setting.
        isolate: repeat a failing batch in parts so that only the guilty items fail.
        idempotent: a request may be run again when a worker died with it.
        task_argument: `"task"` or `"tasks"` when the function asks for it, else None.
    """

    def __init__(self, service: BentoService, attribute: str, spec: ApiSpec) -> None:
        _check_mode(service, spec)
        self.service = service
        self.name = spec.name
        self.route = spec.route
        self.doc = spec.doc
        self.input_adapter: BaseInputAdapter = spec.input_adapter
        self.output_adapter: BaseOutputAdapter = spec.output_adapter
        self.batch = spec.batch
        self.mb_max_latency = spec.mb_max_latency_ms
        self.mb_max_batch_size = spec.mb_max_batch_size
        self.max_batch_rows = spec.max_batch_rows
        self.is_async = spec.is_async
        self.max_concurrency = spec.max_concurrency
        self.thread_safe = spec.thread_safe
        self.timeout_s = spec.timeout_s
        self.isolate = spec.isolate
        self.idempotent = spec.idempotent
        self.task_argument = spec.task_argument
        self.example = spec.example if spec.example is not None else spec.input_adapter.http_input_example
        self.user_func = getattr(service, attribute)

    @property
    def http_methods(self) -> tuple[str, ...]:
        """HTTP methods the route answers, as the input adapter declares them."""
        return tuple(self.input_adapter.HTTP_METHODS)

    @property
    def request_schema(self) -> Any:
        """Content type → schema of the request body, for OpenAPI."""
        return self.input_adapter.request_schema

    @cached_property
    def _calls(self) -> Any:
        from bentoml.inference.entry import ApiCalls  # noqa: PLC0415 - only when a request is run

        return ApiCalls(self)

    def infer(self, inf_tasks: Iterable[InferenceTask]) -> tuple[InferenceResult, ...]:
        """One result per task, in order."""
        return tuple(self._calls.infer(list(inf_tasks)))

    def handle_request(self, request: HTTPRequest) -> HTTPResponse:
        response: HTTPResponse = self._calls.handle_request(request)
        return response

    def handle_batch_request(self, requests: Sequence[HTTPRequest]) -> list[HTTPResponse]:
        return list(self._calls.handle_batch_request(requests))

    def handle_cli(self, cli_args: Sequence[str]) -> int:
        """Run `cli_args`, print one line per result, return the exit code."""
        return int(self._calls.handle_cli(cli_args))

    def handle_aws_lambda_event(self, event: AwsLambdaEvent) -> AwsLambdaEvent:
        answer: AwsLambdaEvent = self._calls.handle_aws_lambda_event(event)
        return answer

    def __repr__(self) -> str:
        return f"InferenceAPI({self.service.name}.{self.name}, route='/{self.route}', batch={self.batch})"


def _check_mode(service: BentoService, spec: ApiSpec) -> None:
    adapter = spec.input_adapter
    supported = adapter.BATCH_MODE_SUPPORTED if spec.batch else adapter.SINGLE_MODE_SUPPORTED
    if not supported:
        raise BentoMLConfigException(
            f"{type(adapter).__name__} does not support `batch={spec.batch}`; declare API "
            f"'{spec.name}' of {type(service).__name__} with @bentoml.api(..., batch={not spec.batch})"
        )
