"""0.13's groups for clouds: every command of theirs answers with what is supported instead."""

from __future__ import annotations

from pathlib import Path

import click

from bentoml.exceptions import CLIException

from .command import Command

_ACTIONS = ("deploy", "update", "delete", "get", "list")


def aws_lambda(_bundle: Path | None = None) -> click.Command:
    return _group("lambda", "AWS Lambda")


def sagemaker(_bundle: Path | None = None) -> click.Command:
    return _group("sagemaker", "AWS SageMaker")


def azure_functions(_bundle: Path | None = None) -> click.Command:
    return _group("azure-functions", "Azure Functions")


def ec2(_bundle: Path | None = None) -> click.Command:
    return _group("ec2", "AWS EC2")


def _group(name: str, platform: str) -> click.Group:
    group = click.Group(name, help=f"Deploying to {platform} is not supported; see `bentoml deployment`.")
    for action in _ACTIONS:
        group.add_command(_explaining(action, name, platform))
    return group


def _explaining(action: str, group: str, platform: str) -> click.Command:
    def explain(rest: tuple[str, ...]) -> None:
        from bentoml.deploy.registry import cloud_message

        raise CLIException(cloud_message(platform))

    return Command(
        action,
        callback=explain,
        failed_name=f"{group} {action}",
        params=[click.Argument(["rest"], nargs=-1, type=click.UNPROCESSED)],
        context_settings={"ignore_unknown_options": True},
        help=f"Not supported: says how to deploy without {platform}.",
    )
