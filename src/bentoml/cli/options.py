"""Options and arguments that several commands have in common."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])
Decorator = Callable[[F], F]

LABELS_HELP = (
    "Label query: key1=value1, key2!=value2, key3 In (value3, value3a), key4 NotIn (value4), "
    "key5 Exists, key6 DoesNotExist."
)


def bento_argument(bundle: Path | None) -> Decorator[Any]:
    """The BENTO argument, absent from the command of an installed bundle."""
    if bundle is not None:
        return lambda function: function
    return click.argument("bento")


def bento_epilog(bundle: Path | None) -> str | None:
    """What the help says about the BENTO argument."""
    if bundle is not None:
        return None
    return "BENTO is a bundle's directory or its NAME:VERSION; the version may be `latest`."


def yatai_url_option(function: F) -> F:
    return click.option(
        "--yatai-url", help="Remote YataiService URL. Example: --yatai-url http://localhost:50051"
    )(function)


def labels_option(function: F) -> F:
    return click.option("--labels", help=LABELS_HELP)(function)


def output_option(default: str | None, *choices: str) -> Decorator[Any]:
    return click.option(
        "-o", "--output", type=click.Choice(choices), default=default, help="How the result is printed."
    )


def locate(bento: str | None, bundle: Path | None, yatai_url: str | None) -> Path:
    """The directory of the bundle that a command is about. Raises `NotFound` and its kin."""
    if bundle is not None:
        return bundle
    from bentoml.yatai.client import get_yatai_client

    assert bento is not None
    return get_yatai_client(yatai_url).repository.resolve(bento)


def add_options(*options: Decorator[Any]) -> Decorator[Any]:
    """Several option decorators as one, listed in reading order."""

    def decorate(function: Any) -> Any:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate
