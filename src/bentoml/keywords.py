"""Misspelled keyword arguments: said where they are written, with the name that was meant."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import ParamSpec, TypeVar

from bentoml.exceptions import InvalidArgument

P = ParamSpec("P")
R = TypeVar("R")


def hint(key: str, names: Iterable[str], cutoff: float = 0.6) -> str:
    """` Did you mean 'columns'?`, or nothing when no name is near."""
    close = get_close_matches(key, list(names), n=1, cutoff=cutoff)
    return f" Did you mean '{close[0]}'?" if close and close[0] != key else ""


def explain_unknown(shown: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Raise `InvalidArgument` for a keyword the function does not have, naming the nearest one.

    Args:
        shown: how messages call the function.
    """

    def decorate(func: Callable[P, R]) -> Callable[P, R]:
        names = tuple(inspect.signature(func).parameters)

        @functools.wraps(func)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            for key in kwargs:
                if key not in names:
                    near = hint(key, names) or f" Known are {', '.join(names)}."
                    raise InvalidArgument(f"{shown} has no parameter '{key}'.{near}")
            return func(*args, **kwargs)

        return call

    return decorate


def refuse_misspelled(cls: type[object], keywords: Iterable[str]) -> None:
    """Raise `InvalidArgument` for a free keyword that is nearly the name of a constructor's parameter."""
    names = {
        name
        for base in cls.__mro__
        if (init := vars(base).get("__init__")) is not None and base is not object
        for name, parameter in inspect.signature(init).parameters.items()
        if name != "self" and parameter.kind is not parameter.VAR_KEYWORD
    }
    for key in keywords:
        near = "" if key in names else hint(key, names, cutoff=0.8)
        if near:
            raise InvalidArgument(f"{cls.__name__} has no parameter '{key}'.{near}")
