"""From the arguments of `@api` to an `ApiSpec`: defaults, checks, and 0.13's legacy form."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bentoml.adapters.base_input import BaseInputAdapter
from bentoml.adapters.base_output import BaseOutputAdapter
from bentoml.exceptions import InvalidArgument
from bentoml.keywords import hint

from .routes import check_api_name, normalize_route
from .signature import argument_count, check_signature, is_async_function
from .spec import ApiSpec

EXAMPLE_ALIAS = "http_input_example"
KEYWORDS = (
    "input", "output", "api_name", "route", "api_doc", "mb_max_batch_size", "mb_max_latency", "batch",
    "max_batch_rows", "timeout_s", "max_concurrency", "thread_safe", "isolate", "idempotent", "example",
    EXAMPLE_ALIAS,
)  # fmt: skip

# How many calls an async function may have running when nobody says: items wait for the network
# most of the time, batches hold a model.
ASYNC_ITEMS = 64
ASYNC_BATCHES = 4
THREADS = 8


def build_api_spec(
    func: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    *,
    input_adapter: Any,
    output_adapter: Any,
    api_name: str | None,
    route: str | None,
    api_doc: str | None,
    mb_max_batch_size: int,
    mb_max_latency: int,
    batch: bool,
    timeout_s: float | None,
    max_concurrency: int | None,
    thread_safe: bool,
    isolate: bool,
    idempotent: bool,
    example: Any,
    max_batch_rows: int | None,
) -> ApiSpec:
    """Raises `InvalidArgument` for anything `@api` cannot mean."""
    _require_method(func)
    name = check_api_name(api_name or func.__name__)
    adapter = resolve_input(name, input_adapter, args, kwargs)
    output = resolve_output(name, output_adapter)
    is_async = is_async_function(func)
    return ApiSpec(
        name=name,
        route=normalize_route(route or name),
        doc=_doc(name, api_doc, func, adapter, output),
        input_adapter=adapter,
        output_adapter=output,
        batch=bool(batch),
        mb_max_batch_size=positive_int(name, "mb_max_batch_size", mb_max_batch_size, "requests"),
        mb_max_latency_ms=positive_int(name, "mb_max_latency", mb_max_latency, "milliseconds"),
        is_async=is_async,
        task_argument=check_signature(func, batch=bool(batch), count=argument_count(adapter)),
        max_concurrency=_concurrency(name, max_concurrency, bool(batch), is_async, thread_safe),
        thread_safe=bool(thread_safe),
        timeout_s=_timeout(name, timeout_s),
        isolate=bool(isolate),
        idempotent=bool(idempotent),
        example=example if example is not None else kwargs.get(EXAMPLE_ALIAS),
        max_batch_rows=_rows(name, max_batch_rows, bool(batch)),
    )


def resolve_input(
    name: str, adapter: Any, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> BaseInputAdapter:
    """The adapter instance of `input=`, or one made from the legacy form."""
    if adapter is None:
        return _legacy_input(name, args, kwargs)
    _refuse_unknown(name, args, kwargs)
    if isinstance(adapter, type):
        raise InvalidArgument(
            f"API '{name}': input= takes an input adapter instance; write input={adapter.__name__}()"
        )
    if not isinstance(adapter, BaseInputAdapter):
        raise InvalidArgument(
            f"API '{name}': input= takes an instance of a class from bentoml.adapters, such as "
            f"JsonInput(), not {adapter!r}"
        )
    return adapter


def _legacy_input(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> BaseInputAdapter:
    if not args:
        message = f"API '{name}' has no input adapter; write @bentoml.api(input=JsonInput(), ...)"
        raise InvalidArgument(message + _close_match_hint(kwargs))
    adapter_class = args[0]
    if not isinstance(adapter_class, type) or not issubclass(adapter_class, BaseInputAdapter):
        raise InvalidArgument(
            f"API '{name}': the first parameter of @bentoml.api must be an input adapter class, not "
            f"{adapter_class!r}; write @bentoml.api(input=JsonInput(), ...)"
        )
    return adapter_class(*args[1:], **kwargs)


def _refuse_unknown(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    if args:
        raise InvalidArgument(
            f"API '{name}': @bentoml.api takes keyword arguments when input= is given, not {args[0]!r}"
        )
    unknown = [key for key in kwargs if key != EXAMPLE_ALIAS]
    if unknown:
        raise InvalidArgument(
            f"API '{name}': unknown keyword '{unknown[0]}' in @bentoml.api." + _close_match_hint(unknown)
        )


def _close_match_hint(keys: Mapping[str, Any] | Sequence[str]) -> str:
    return next(filter(None, (hint(key, KEYWORDS) for key in keys)), "")


def resolve_output(name: str, adapter: Any) -> BaseOutputAdapter:
    if adapter is None:
        from bentoml.adapters.default_output import DefaultOutput  # noqa: PLC0415 - one of many outputs

        return DefaultOutput()
    if isinstance(adapter, type):
        raise InvalidArgument(
            f"API '{name}': output= takes an output adapter instance; write output={adapter.__name__}()"
        )
    if not isinstance(adapter, BaseOutputAdapter):
        raise InvalidArgument(
            f"API '{name}': output= takes an instance of an output class from bentoml.adapters, such as "
            f"JsonOutput(), not {adapter!r}"
        )
    return adapter


def positive_int(name: str, option: str, value: Any, unit: str) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 1 or value != int(value):
        raise InvalidArgument(f"API '{name}': {option} is a whole number of {unit} above 0, not {value!r}")
    return int(value)


def _rows(name: str, value: int | None, batch: bool) -> int | None:
    if value is None:
        return None
    if not batch:
        raise InvalidArgument(
            f"API '{name}': max_batch_rows={value!r} limits the rows of a batch and needs batch=True; "
            "the function of this API is called with one request"
        )
    return positive_int(name, "max_batch_rows", value, "rows")


def _timeout(name: str, value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
        raise InvalidArgument(f"API '{name}': timeout_s is a number of seconds above 0, not {value!r}")
    return float(value)


def _concurrency(name: str, value: int | None, batch: bool, is_async: bool, thread_safe: bool) -> int:
    if value is None:
        if is_async:
            return ASYNC_BATCHES if batch else ASYNC_ITEMS
        return THREADS if thread_safe else 1
    count = positive_int(name, "max_concurrency", value, "calls")
    if count > 1 and not (is_async or thread_safe):
        raise InvalidArgument(
            f"API '{name}': max_concurrency={count} needs an `async def` function, or thread_safe=True "
            "when the function may be called from several threads at once"
        )
    return count


def _doc(name: str, api_doc: str | None, func: Callable[..., Any], adapter: object, output: object) -> str:
    if api_doc is not None:
        return api_doc
    return inspect.getdoc(func) or (
        f"BentoService inference API '{name}', input: '{type(adapter).__name__}', "
        f"output: '{type(output).__name__}'"
    )


def _require_method(func: Any) -> None:
    if isinstance(func, (staticmethod, classmethod, property, type)) or not callable(func):
        raise InvalidArgument(
            f"@bentoml.api belongs directly on a plain method (def predict(self, parsed): ...), "
            f"not on a {type(func).__name__}"
        )
