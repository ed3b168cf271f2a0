"""Options and arguments that several commands have in common."""

from __future__ import annotations

import os
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


def verify_key_option(function: F) -> F:
    """`--verify-key`: from here on, in this process and its children, only signed bundles are accepted."""

    def require(ctx: click.Context, _param: click.Parameter, value: tuple[str, ...]) -> None:
        if value:
            put_in_environment(ctx, "BENTOML_TRUST_VERIFY_KEYS", ",".join(value))

    return click.option(
        "--verify-key",
        multiple=True,
        metavar="KEY",
        expose_value=False,
        callback=require,
        help="Accept only a bundle that this public key signed (a file, a directory of *.pub files, or "
        "ed25519:...).  [env var: BENTOML_TRUST_VERIFY_KEYS]",
    )(function)


def put_in_environment(ctx: click.Context, name: str, value: str) -> None:
    """Set a variable for the running command and the processes it starts."""
    before = os.environ.get(name)
    os.environ[name] = value

    def restore() -> None:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before

    ctx.find_root().call_on_close(restore)


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
