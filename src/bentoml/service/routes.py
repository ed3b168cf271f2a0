"""Which names and URL paths an API may have, checked once where the API is declared."""

from __future__ import annotations

import re

from bentoml.exceptions import InvalidArgument

RESERVED_NAMES = frozenset({"index", "swagger", "docs", "healthz", "metrics", "feedback"})

# The server answers these itself, so an API there could never be reached.
SERVER_ROUTES = RESERVED_NAMES | {
    "debug/batching",
    "docs.json",
    "livez",
    "metadata",
    "readyz",
    "static_content",
}

_CONTROL_OR_SPACE = re.compile(r"[\x00-\x20\x7f]")


def check_api_name(name: str) -> str:
    """Return `name` if it may name an API. Raises `InvalidArgument`."""
    if not isinstance(name, str) or not name.isidentifier():
        raise InvalidArgument(
            f"Invalid API name: {name!r}, a valid API name is a Python identifier such as 'predict'"
        )
    if name in RESERVED_NAMES:
        raise InvalidArgument(
            f"Reserved API name: '{name}' is answered by the server itself. Rename the function or "
            f"pass api_name=; reserved are {', '.join(sorted(RESERVED_NAMES))}"
        )
    return name


def normalize_route(route: str) -> str:
    """The URL path of an API without its leading slash. Raises `InvalidArgument`.

    Any character is allowed except white space, control characters, `?` and `#`.
    """
    if not isinstance(route, str):
        raise InvalidArgument(f"Invalid API route: {route!r}, a route is a text such as '/v1/predict'")
    if _CONTROL_OR_SPACE.search(route) or "?" in route or "#" in route or route.startswith(("//", ":")):
        raise InvalidArgument(
            f"Invalid API route: {route!r} contains illegal url characters. "
            "A route has no '?', '#' or white space and does not start with '//' or ':'"
        )
    path = route.removeprefix("/")
    if not path or path in SERVER_ROUTES or path.startswith("static_content/"):
        raise InvalidArgument(
            f"Reserved API route: {route!r} is answered by the server itself. Choose another route="
        )
    return path
