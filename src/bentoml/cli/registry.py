"""What the commands below `bentoml yatai` share."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from bentoml.yatai.calls import Calls


def registry_calls(yatai_url: str | None) -> Calls:
    """The calls of the registry that a command is about."""
    from bentoml.exceptions import MissingDependencyException
    from bentoml.settings import load_settings

    try:
        from bentoml.yatai.calls import open_calls
    except ModuleNotFoundError as err:
        raise MissingDependencyException(
            f"This needs the package '{err.name}', which is not installed. "
            "Install it with: pip install 'bentoml[yatai]'"
        ) from err
    return open_calls(yatai_url, load_settings())


def reference(bento: str) -> dict[str, str]:
    """`Name:Version` or `Name@alias` as the protocol's reference."""
    from bentoml.tags import split_reference

    name, version = split_reference(bento)
    return {"name": name, "version": version}


def split_alias(text: str) -> tuple[str, str]:
    """Name and alias of `Name@alias`."""
    name, at, alias = text.partition("@")
    if not at or not name or not alias:
        raise click.UsageError(f"'{text}' is no alias; write NAME@ALIAS, such as IrisClassifier@prod.")
    return name, alias


def shown_time(moment: Any) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S") if isinstance(moment, datetime) else ""


def plain(value: Any) -> Any:
    """The value with times as text, to be printed as JSON."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value.isoformat() + "Z" if isinstance(value, datetime) else value
