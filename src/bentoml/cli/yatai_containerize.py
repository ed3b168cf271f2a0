"""`bentoml yatai containerize`: an image of the management server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .command import Command
from .containerize import engine_options, named_values


def command(_bundle: Path | None = None) -> click.Command:
    return yatai_containerize


@click.command("containerize", cls=Command, failed_name="yatai containerize")
@engine_options("yatai-service:VERSION", ["docker", "podman", "buildah"])
@click.option("--base-image", help="Image to start from.  [default: python:X.Y-slim of this Python]")
@click.option(
    "--context",
    type=click.Path(path_type=Path),
    help="Write the Dockerfile and its files to this new directory instead of building.",
)
def yatai_containerize(
    tag: str | None,
    builder: str | None,
    build_arg: tuple[str, ...],
    platform: tuple[str, ...],
    push: bool,
    base_image: str | None,
    context: Path | None,
) -> None:
    """Build a container image of the management server, from this very installation.

    The image keeps its data in /bentoml and takes every option of `bentoml yatai-service-start`, as an
    environment variable or after the name of the image.
    """
    from bentoml.containers.yatai_build import containerize_yatai, write_context

    arguments: dict[str, Any] = named_values(build_arg)
    if context is not None:
        context.mkdir(parents=True, exist_ok=False)
        write_context(context, base_image)
        click.echo(f"Wrote {context}; build it with: docker build {context}")
        return
    reference = containerize_yatai(
        tag=tag,
        builder=builder,
        base_image=base_image,
        build_args=arguments,
        platforms=tuple(name for text in platform for name in text.split(",")),
        push=push,
        output=click.echo,
    )
    click.secho(f"Build container image: {reference}", fg="green")
