"""`bentoml containerize`: an image of a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bentoml.exceptions import InvalidArgument

from .command import Command
from .options import bento_argument, bento_epilog, locate, verify_key_option, yatai_url_option


def command(bundle: Path | None = None) -> click.Command:
    @click.command(cls=Command, epilog=bento_epilog(bundle))
    @bento_argument(bundle)
    @click.option("-t", "--tag", help="Name of the image, or NAME:TAG.  [default: the bundle's name:version]")
    @click.option("--push", is_flag=True, help="Push the image to the registry that its name begins with.")
    @click.option(
        "--builder",
        type=click.Choice(["docker", "podman", "buildah"]),
        envvar="BENTOML_CONTAINER_BUILDER",
        show_envvar=True,
        help="What builds.  [default: the first of them that is installed]",
    )
    @click.option("--platform", multiple=True, help="Platform such as linux/arm64; may be repeated.")
    @click.option("--build-arg", multiple=True, metavar="K=V", help="Value of an ARG; may be repeated.")
    @verify_key_option
    @yatai_url_option
    def containerize(
        tag: str | None,
        push: bool,
        builder: str | None,
        platform: tuple[str, ...],
        build_arg: tuple[str, ...],
        yatai_url: str | None,
        bento: str | None = None,
    ) -> None:
        """Build a container image of a bundle.

        The engine's output is shown as it comes; if a step fails, the command fails and names it.
        `docker build` on the bundle's directory does the same without this command.
        """
        from bentoml.containers.build import containerize as build

        path = locate(bento, bundle, yatai_url)
        click.echo(f"Found Bento: {path}")
        image = build(
            path,
            tag=tag,
            builder=builder,
            build_args=dict(_pair(text) for text in build_arg),
            platforms=tuple(name for text in platform for name in text.split(",")),
            push=push,
            output=click.echo,
        )
        click.secho(f"Build container image: {image.reference}", fg="green")
        if image.was_pushed:
            click.secho(f"Pushed container image: {image.reference}", fg="green")

    return containerize


def _pair(text: str) -> tuple[str, Any]:
    name, separator, value = text.partition("=")
    if not separator:
        raise InvalidArgument(f"--build-arg {text[:64]!r} is not written like NAME=value")
    return name, value
