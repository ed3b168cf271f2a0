"""Which method answers an RPC: `get_bento` of the group that has it answers `GetBento`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from bentoml.exceptions import BentoMLException


def handler_of(groups: Iterable[object], name: str) -> Callable[..., Any]:
    """The handler of an RPC."""
    attribute = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
    for group in groups:
        handler: Callable[..., Any] | None = getattr(group, attribute, None)
        if handler is not None:
            return handler
    raise BentoMLException(f"No handler for the RPC {name}; this is a bug.")
