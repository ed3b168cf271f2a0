"""Operators by the name that users write in `spec.operator`; others join through `bentoml.operators`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bentoml.exceptions import InvalidArgument, NotFound
from bentoml.plugins import Entry, Registry

from .base import Operator


@dataclass(frozen=True, slots=True)
class Host:
    """Where operators keep files, and what the settings let them use.

    Attributes:
        directory: of deployments on this machine.
        ports: first and last port for services that name none.
    """

    directory: Path
    ports: tuple[int, int] = (5100, 5999)


OPERATORS: Registry[Callable[[Host], Operator]] = Registry(
    "operators",
    {
        "docker": Entry("bentoml.deploy.containers.operator:DockerOperator"),
        "local": Entry("bentoml.deploy.local.operator:LocalOperator"),
        "podman": Entry("bentoml.deploy.containers.operator:PodmanOperator"),
    },
)

# 0.13's operators, by every name its YAML, its options and its protocol have for them.
CLOUD = {
    "sagemaker": "AWS SageMaker",
    "aws-sagemaker": "AWS SageMaker",
    "lambda": "AWS Lambda",
    "aws-lambda": "AWS Lambda",
    "azure-functions": "Azure Functions",
    "ec2": "AWS EC2",
    "aws-ec2": "AWS EC2",
}


def open_operator(name: str, host: Host) -> Operator:
    """The operator of that name. Raises `InvalidArgument` that names those there are."""
    if name.lower() in CLOUD:
        raise InvalidArgument(cloud_message(CLOUD[name.lower()]))
    try:
        make = OPERATORS.load(name)
    except NotFound as err:
        supported = ", ".join(OPERATORS)
        raise InvalidArgument(f"'{name[:64]}' is no operator; choose from {supported}.") from err
    return make(host)


def is_supported(name: str) -> bool:
    """Whether there is an operator of that name."""
    return name in set(OPERATORS)


def cloud_message(platform: str) -> str:
    """Why a cloud operator of 0.13 is not there, and what to do instead."""
    return (
        f"Deploying to {platform} is not supported. Supported are the operators {', '.join(OPERATORS)} "
        "(`bentoml deployment create NAME --operator local --bento NAME:VERSION`); for a cloud, build an "
        "image with `bentoml containerize NAME:VERSION` and run it with the tools of that cloud."
    )
