"""The contract of input adapters: bytes of one item to a value, values of many items to a call.

An adapter knows nothing of sockets, command lines or queues. The core of the contract is `decode`,
`merge` and `single`. The methods of the 0.13 line (`from_http_request`, `extract_user_func_args`,
…) are written on top of that core; a subclass may override either, and the pipeline takes the road
by tasks only when one of the latter is overridden.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, TypeVar

from bentoml.exceptions import BadInput
from bentoml.keywords import refuse_misspelled
from bentoml.types import (
    AwsLambdaEvent,
    HTTPHeaders,
    HTTPRequest,
    InferenceTask,
    JsonSerializable,
    Payload,
    RequestHead,
    error_reply,
)

from . import cli_input, lambda_input
from .limits import DEFAULT_LIMITS, DecodeLimits

Adapter = TypeVar("Adapter", bound="BaseInputAdapter")
LEGACY_METHODS = ("from_http_request", "extract_user_func_args", "iter_batch_args")


class Group(NamedTuple):
    """One call of the user function.

    Attributes:
        indices: positions, in the list given to `merge`, of the items in this call.
        args: positional arguments of the call.
        rows: result rows of each item, None for an item that is one result.
    """

    indices: Sequence[int]
    args: tuple[Any, ...]
    rows: Sequence[int | None]


class BaseInputAdapter:
    """Base class of all input adapters.

    Args:
        http_input_example: shown as the example of the request body in the OpenAPI document.
        base_config: kept in `config`; `request_schema=` replaces the generated OpenAPI content.
    """

    HTTP_METHODS: ClassVar[Sequence[str]] = ("POST", "GET")
    BATCH_MODE_SUPPORTED: ClassVar[bool] = True
    SINGLE_MODE_SUPPORTED: ClassVar[bool] = True

    limits: DecodeLimits = DEFAULT_LIMITS
    _base_config: Mapping[str, Any] = {}
    _example: Any = None

    def __init__(self, http_input_example: Any = None, **base_config: Any) -> None:
        refuse_misspelled(type(self), base_config)
        self._base_config = base_config
        self._example = http_input_example

    @property
    def config(self) -> dict[str, JsonSerializable]:
        """What a saved bundle records about this adapter."""
        return dict(self._base_config)

    @property
    def pip_dependencies(self) -> list[str]:
        return []

    @property
    def http_input_example(self) -> Any:
        return self._example

    def with_example(self: Adapter, example: Any) -> Adapter:
        """A copy with another `http_input_example`."""
        other = copy.copy(self)
        other._example = example
        return other

    @property
    def request_schema(self) -> dict[str, Any]:
        """Content type → OpenAPI media object of the request body, without the example."""
        custom = self._base_config.get("request_schema")
        return as_content(custom) if custom else self.default_schema()

    def default_schema(self) -> dict[str, Any]:
        return {"application/json": {"schema": {"type": "object"}}}

    def openapi_content(self) -> dict[str, Any]:
        """`request_schema` with the example put under its JSON content, or the first if there is none."""
        content = {name: dict(media) for name, media in self.request_schema.items()}
        if self._example is not None and content:
            place = "application/json" if "application/json" in content else next(iter(content))
            content[place]["example"] = self._example
        return content

    # -- the core ---------------------------------------------------------------------------------

    def decode(self, payload: Payload) -> Any:
        """The value of one item. Raises `BadInput` or a subclass."""
        task = self.from_http_request(_as_request(payload))
        if task.is_discarded and task.error is not None:
            raise BadInput(task.error.err_msg)
        return self.parse_task(task)

    def decode_many(self, payloads: Sequence[Payload]) -> list[Any]:
        """One value per item, or a `Reply` with the error for an item that cannot be decoded."""
        return [self.decode_or_reply(payload) for payload in payloads]

    def decode_or_reply(self, payload: Payload) -> Any:
        try:
            return self.decode(payload)
        except BadInput as err:
            return error_reply(err.http_status, str(err))

    def merge(self, values: list[Any]) -> list[Group]:
        """The calls for `values` in batch mode; one call with one list unless overridden."""
        return [Group(range(len(values)), (values,), [None] * len(values))]

    def single(self, value: Any) -> tuple[Any, ...]:
        """Positional arguments for one item when the API is not a batch API."""
        return (value,)

    # -- whole tables ------------------------------------------------------------------------------

    def from_table(self, batch: Any) -> tuple[Any, ...] | None:
        """Arguments of one call with every row of an Arrow record batch, one result per row.

        None, from an adapter that reads items one by one. Raises `BadInput` when a row does not fit.
        """
        return None

    @property
    def text_columns(self) -> frozenset[Any]:
        """Names or places of columns whose fields a table's reader leaves as they were written."""
        return frozenset()

    # -- other sources of payloads ----------------------------------------------------------------

    def add_cli_flags(self, parser: argparse.ArgumentParser) -> None:
        cli_input.add_input_flags(parser)

    def payloads_of_flags(self, flags: argparse.Namespace) -> Iterator[Payload]:
        return cli_input.read_payloads(flags)

    def cli_payloads(self, argv: Sequence[str]) -> Iterator[Payload]:
        """Payloads named by `--input` or `--input-file`; exits with code 2 on wrong flags."""
        parser = argparse.ArgumentParser(prog="bentoml run", add_help=False, allow_abbrev=False)
        self.add_cli_flags(parser)
        return self.payloads_of_flags(parser.parse_known_args(list(argv))[0])

    def lambda_payload(self, event: AwsLambdaEvent) -> Payload:
        """The payload of an API Gateway or load balancer event."""
        return lambda_input.text_payload(event)

    # -- the methods of the 0.13 line -------------------------------------------------------------

    def task_data(self, payload: Payload) -> Any:
        """`InferenceTask.data` for a payload. Raises `BadInput`."""
        return payload.body

    def parse_task(self, task: InferenceTask) -> Any:
        """The value of a task made by `from_http_request` and its like. Raises `BadInput`."""
        return task.data

    def make_task(self, payload: Payload, **source: Any) -> InferenceTask:
        """A task for a payload, discarded with the right status when it cannot be read."""
        headers = payload.head.headers
        task = InferenceTask(http_headers=headers, **source)
        if payload.request_id:
            task.task_id = payload.request_id
        try:
            task.data = self.task_data(payload)
        except BadInput as err:
            task.discard(str(err), http_status=err.http_status)
        return task

    def from_http_request(self, req: HTTPRequest) -> InferenceTask:
        return BaseInputAdapter.make_task(self, payload_of_request(req), http_method=req.method)

    def from_aws_lambda_event(self, event: AwsLambdaEvent) -> InferenceTask:
        return self.make_task(self.lambda_payload(event), aws_lambda_event=event)

    def from_cli(self, cli_args: Sequence[str]) -> Iterator[InferenceTask]:
        for payload in self.cli_payloads(cli_args):
            yield self.make_task(payload, cli_args=list(cli_args))

    def from_inference_job(self, input_: Iterable[Any] = (), **extra_args: Any) -> Iterator[InferenceTask]:
        """Tasks from bytes, text or values that Python already has."""
        for item in input_:
            yield InferenceTask(data=item, inference_job_args=extra_args)

    def extract_user_func_args(self, tasks: Sequence[InferenceTask]) -> tuple[Any, ...]:
        """Arguments for one call with all `tasks` that are not discarded; bad ones become so."""
        values = []
        for task in tasks:
            if task.is_discarded:
                continue
            try:
                values.append(self.parse_task(task))
            except BadInput as err:
                task.discard(str(err), http_status=err.http_status)
        return self.merge_all(values, [task for task in tasks if not task.is_discarded])

    def merge_all(self, values: list[Any], tasks: Sequence[InferenceTask]) -> tuple[Any, ...]:
        """One set of arguments for every value; sets `task.batch` where an item has rows."""
        return (values,)

    def iter_batch_args(
        self, user_func_args: tuple[Any, ...], tasks: Sequence[InferenceTask]
    ) -> Iterator[tuple[Any, ...]]:
        """The arguments of each task, for an API that is not a batch API."""
        return zip(*user_func_args, strict=False)

    def validate_task(self, task: InferenceTask) -> bool:
        """Whether the task is to be run; a hook of the 0.13 line."""
        return not task.is_discarded


def as_content(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Content type → media object; a bare schema is accepted in place of a media object."""
    return {
        name: dict(value) if "schema" in value or not ({"type", "$ref"} & set(value)) else {"schema": value}
        for name, value in schema.items()
    }


def overrides_legacy(adapter: BaseInputAdapter) -> bool:
    """Whether a subclass outside this package has its own version of a 0.13 method."""
    return any(is_foreign(adapter, name) for name in LEGACY_METHODS)


def is_foreign(adapter: object, method: str) -> bool:
    """Whether `method` was written outside this package."""
    function = getattr(type(adapter), method, None)
    return not str(getattr(function, "__module__", "bentoml.")).startswith("bentoml.")


def _as_request(payload: Payload) -> HTTPRequest:
    return HTTPRequest(payload.head.headers, payload.body, payload.head.method)


def payload_of_request(req: HTTPRequest) -> Payload:
    """The payload a request object of the 0.13 line stands for."""
    headers: Any = req.headers
    pairs = headers.pairs if isinstance(headers, HTTPHeaders) else tuple(dict(headers).items())
    lines = [req.method, *(f"{name}: {value}" for name, value in pairs), ""]
    return Payload(req.body, RequestHead("\r\n".join(lines).encode("latin-1", "replace")))
