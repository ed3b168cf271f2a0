"""`bentoml deployment …`: run saved bundles, on a server's machine or on this one."""

from __future__ import annotations

from pathlib import Path

import click

from .group import Entry, LazyGroup

_AT = "bentoml.cli.deployment_commands"
_COMMANDS = {
    "apply": Entry(f"{_AT}:apply", "Create or change a deployment."),
    "create": Entry(f"{_AT}:create", "Create a deployment."),
    "delete": Entry(f"{_AT}:delete", "End a deployment without losing requests."),
    "describe": Entry(f"{_AT}:describe", "Show how a deployment is now."),
    "get": Entry(f"{_AT}:get", "Show a deployment as it was asked for and last seen."),
    "list": Entry(f"{_AT}:list_all", "List deployments."),
    "logs": Entry(f"{_AT}:logs", "Print the last lines of a deployment's log."),
    "metrics": Entry(f"{_AT}:metrics", "Print what a deployment's service has counted."),
    "restart": Entry(f"{_AT}:restart", "Start a deployment's service anew without losing requests."),
}


def command(_bundle: Path | None = None) -> click.Command:
    return LazyGroup(
        _COMMANDS,
        name="deployment",
        help="Run saved bundles: with the server of --yatai-url or yatai.remote.url, else on this machine.",
    )
