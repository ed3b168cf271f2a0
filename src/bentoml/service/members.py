"""Finds what the decorators recorded on the members of a service class."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from bentoml.exceptions import InvalidArgument

from .spec import API_SPEC, HOOK_KIND, ApiSpec, HookKind

ApiMember = tuple[str, ApiSpec]


def api_specs(cls: type) -> list[ApiMember]:
    """`(attribute, spec)` of every API function, inherited ones too, in alphabetical order."""
    found = []
    for attribute in dir(cls):
        spec = getattr(inspect.getattr_static(cls, attribute, None), API_SPEC, None)
        if isinstance(spec, ApiSpec):
            found.append((attribute, spec))
    return found


def check_distinct(class_name: str, members: Sequence[ApiMember]) -> None:
    """Raises `InvalidArgument` when two API functions have the same name or the same route."""
    names: dict[str, str] = {}
    routes: dict[str, str] = {}
    for attribute, spec in members:
        for kind, value, seen, option in (
            ("name", spec.name, names, "api_name"),
            ("route", spec.route, routes, "route"),
        ):
            first = seen.setdefault(value, attribute)
            if first != attribute:
                raise InvalidArgument(
                    f"Class '{class_name}' has two APIs with the {kind} '{value}': '{first}' and "
                    f"'{attribute}'. Give one of them another {option}="
                )


def hooks(service: object, kind: HookKind) -> list[Callable[[], Any]]:
    """Bound hook methods, base classes first, in order of definition; an override runs once."""
    cls = type(service)
    names = dict.fromkeys(name for base in reversed(cls.__mro__) for name in vars(base))
    return [
        getattr(service, name)
        for name in names
        if getattr(inspect.getattr_static(cls, name, None), HOOK_KIND, None) == kind
    ]
