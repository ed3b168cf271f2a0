"""`--env isolated`: the command runs again inside the bundle's own environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import click
from click.core import ParameterSource

from .command import log_settings

_HERE = {"bento", "env", "yatai_url"}

env_option = click.option(
    "--env",
    type=click.Choice(["current", "isolated"]),
    default="current",
    help="Where the service runs: in this Python, or in a virtual environment made from the bundle.",
)


def serve_isolated(path: Path) -> NoReturn:
    """Make the bundle's environment if there is none yet, and serve the bundle in it."""
    from bentoml.environments.build import make_environment
    from bentoml.environments.isolated import run_isolated

    context = click.get_current_context()
    environment = make_environment(path)
    name = str(context.info_name)
    run_isolated(environment, [name, str(path.absolute()), *given_options(context)])


def given_options(context: click.Context) -> list[str]:
    """The options of the running command as they were given, without those that ended here."""
    given: list[str] = []
    for parameter in context.command.params:
        name = str(parameter.name)
        from_user = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if isinstance(parameter, click.Option) and from_user and name in context.params and name not in _HERE:
            given += _words(parameter, context.params[name])
    settings = log_settings()
    if settings.get("debug"):
        given.append("--verbose")
    elif settings:
        given.append("--quiet")
    return given


def _words(option: click.Option, value: Any) -> list[str]:
    longest = max(option.opts, key=len)
    if option.is_flag:
        return [longest if value else max(option.secondary_opts, key=len)]
    return [f"{longest}={value}"]
