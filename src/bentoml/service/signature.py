"""What a user function's signature says about how to call it, and what is wrong with it.

Checked where `@api` is applied, so that `task` for `tasks` is an error on the line that wrote it
and not a 500 for the first client.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from bentoml.exceptions import InvalidArgument

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def is_async_function(func: Callable[..., Any]) -> bool:
    """Whether calling `func` gives something to await."""
    return inspect.iscoroutinefunction(func)


def argument_count(adapter: Any) -> int | None:
    """How many positional arguments `adapter` passes to a function; None when it cannot be known.

    A subclass written by a user may pass any number (it overrides `extract_user_func_args`), unless
    it says so with an attribute `ARGUMENT_COUNT`.
    """
    declared = getattr(adapter, "ARGUMENT_COUNT", None)
    if isinstance(declared, int):
        return declared
    if not type(adapter).__module__.startswith("bentoml.adapters."):
        return None
    names = getattr(adapter, "input_names", None)
    return len(names) if isinstance(names, (list, tuple)) else 1


def check_signature(func: Callable[..., Any], *, batch: bool, count: int | None) -> str | None:
    """The name of the task argument `func` takes: `"task"`, `"tasks"` or None.

    Args:
        func: the undecorated method; its first parameter is the service.
        batch: the mode of the API.
        count: number of positional arguments of the input adapter, None if unknown.

    Raises:
        InvalidArgument: the function cannot be called the way the API will call it.
    """
    name = getattr(func, "__name__", repr(func))
    if inspect.isasyncgenfunction(func):
        raise InvalidArgument(
            f"API function '{name}' is an async generator; return the results instead of yielding them"
        )
    parameters = list(inspect.signature(func).parameters.values())
    positional = [p for p in parameters if p.kind in _POSITIONAL]
    takes_rest = any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters)
    if not takes_rest and len(positional) < 1 + (count if count is not None else 1):
        raise InvalidArgument(
            f"API function '{name}{inspect.signature(func)}' takes too few arguments: it is called with "
            f"self and {count or 1} value(s) from its input adapter, as in def {name}(self, parsed)"
        )
    data = positional[: 1 + (count if count is not None else 1)]
    extra = [p for p in parameters if p not in data]
    wanted, other = ("tasks", "task") if batch else ("task", "tasks")
    _check_extra(name, extra, wanted, other, batch=batch, known=count is not None)
    if wanted in (p.name for p in data):
        return None
    if any(p.name == wanted and p.kind in _NAMED for p in extra):
        return wanted
    return wanted if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in extra) else None


def _check_extra(
    name: str, extra: list[inspect.Parameter], wanted: str, other: str, *, batch: bool, known: bool
) -> None:
    for parameter in extra:
        if parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
            continue
        if parameter.name == other and known:
            raise InvalidArgument(
                f"API function '{name}' declares a parameter '{other}', but with batch={batch} it is "
                f"called with '{wanted}'. Rename the parameter to '{wanted}' or pass batch={not batch}"
            )
        if parameter.default is not inspect.Parameter.empty or parameter.name == wanted:
            continue
        if known or parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            raise InvalidArgument(
                f"API function '{name}' requires a parameter '{parameter.name}' that nothing passes: it "
                f"is called with the value(s) of its input adapter and '{wanted}'. Give it a default "
                "or remove it"
            )
