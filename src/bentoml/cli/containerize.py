"""`bentoml containerize`: an image of a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bentoml.exceptions import InvalidArgument, NotFound

from .command import Command
from .options import Decorator, add_options, bento_argument, bento_epilog, locate, verify_key_option


def engine_options(default_tag: str, builders: list[str]) -> Decorator[Any]:
    """The options of every command that builds an image."""
    return add_options(
        click.option("-t", "--tag", help=f"Name of the image, or NAME:TAG.  [default: {default_tag}]"),
        click.option(
            "--push", is_flag=True, help="Push the image to the registry that its name begins with."
        ),
        click.option(
            "--builder",
            type=click.Choice(builders),
            envvar="BENTOML_CONTAINER_BUILDER",
            show_envvar=True,
            help="What builds; `oci` writes a file and needs no engine.  [default: the first engine that is "
            "installed]"
            if "oci" in builders
            else "What builds.  [default: the first of them that is installed]",
        ),
        click.option("--platform", multiple=True, help="Platform such as linux/arm64; may be repeated."),
        click.option("--build-arg", multiple=True, metavar="K=V", help="Value of an ARG; may be repeated."),
    )


_oci: Decorator[Any] = add_options(
    click.option(
        "--base",
        multiple=True,
        type=click.Path(exists=True, path_type=Path),
        envvar="BENTOML_CONTAINER_BASE",
        show_envvar=True,
        help="With oci: the base image, an OCI archive, an OCI layout or a docker archive; may be repeated.",
    ),
    click.option(
        "-o", "--output", type=click.Path(path_type=Path), help="With oci: the file to write, an OCI archive."
    ),
    click.option(
        "--wheels",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="With oci: install from the wheels in this directory, without any index.",
    ),
)


def command(bundle: Path | None = None) -> click.Command:
    @click.command(cls=Command, epilog=bento_epilog(bundle))
    @bento_argument(bundle)
    @engine_options("the bundle's name:version", ["docker", "podman", "buildah", "oci"])
    @_oci
    @verify_key_option
    @click.option(
        "--yatai-url",
        help="Let this management server build, with its engine. Example: --yatai-url http://localhost:50051",
    )
    def containerize(
        tag: str | None,
        push: bool,
        builder: str | None,
        build_arg: tuple[str, ...],
        yatai_url: str | None,
        bento: str | None = None,
        **options: Any,
    ) -> None:
        """Build a container image of a bundle.

        The engine's output is shown as it comes; if a step fails, the command fails and names it.
        `docker build` on the bundle's directory does the same without this command. `--builder oci`
        writes a standard image to a file, the same bytes for the same input, with no engine at all.
        """
        arguments = named_values(build_arg)
        if builder != "oci":
            _refuse(options, "base", "output", "wheels")
        platforms = tuple(name for text in options["platform"] for name in text.split(","))
        if yatai_url:
            if builder == "oci":
                raise InvalidArgument("--builder oci writes a file here; leave out --yatai-url")
            name = _tag_of(bundle) if bundle else _tag_of_directory(bento)
            _build_remotely(name, yatai_url, tag, arguments, push, builder, platforms)
            return
        path = _saved(bundle) if bundle else locate(bento, None, None)
        click.echo(f"Found Bento: {path}")
        if builder == "oci":
            _write_image(path, tag, push, arguments, platforms, options)
            return
        from bentoml.containers.build import containerize as build

        image = build(
            path,
            tag=tag,
            builder=builder,
            build_args=arguments,
            platforms=platforms,
            push=push,
            output=click.echo,
        )
        click.secho(f"Build container image: {image.reference}", fg="green")
        if image.was_pushed:
            click.secho(f"Pushed container image: {image.reference}", fg="green")

    return containerize


def _write_image(
    path: Path,
    tag: str | None,
    push: bool,
    arguments: dict[str, str],
    platforms: tuple[str, ...],
    options: dict[str, Any],
) -> None:
    from bentoml.containers.oci.build import build_oci_image

    output: Path | None = options["output"]
    if output is None:
        raise InvalidArgument("--builder oci writes a file; name it: -o image.tar")
    if push:
        raise InvalidArgument(
            f"--builder oci does not push; `skopeo copy oci-archive:{output} docker://NAME:TAG` does"
        )
    if not options["base"]:
        from bentoml.bundle.descriptor import read_descriptor

        image = read_descriptor(path).env.get("docker_base_image") or "python:3.11-slim"
        raise InvalidArgument(
            "--builder oci fetches nothing; give the base image with --base FILE. One way to get it: "
            f"`skopeo copy docker://{image} oci-archive:base.tar`"
        )
    built = build_oci_image(
        path,
        output,
        bases=options["base"],
        tag=tag,
        platforms=platforms,
        build_args=arguments,
        wheels=options["wheels"],
        output=click.echo,
    )
    click.secho(f"Build container image: {built.reference}", fg="green")
    click.echo(f"Wrote {built.path} ({', '.join(built.platforms)}), digest {built.digest}")


def _refuse(options: dict[str, Any], *names: str) -> None:
    for name in names:
        if options[name] and not (name == "base" and _is_from_environment(name)):
            raise InvalidArgument(f"--{name} is for --builder oci only")


def _is_from_environment(name: str) -> bool:
    source = click.get_current_context().get_parameter_source(name)
    return source is click.core.ParameterSource.ENVIRONMENT


def _build_remotely(
    bento: str,
    yatai_url: str,
    tag: str | None,
    arguments: dict[str, str],
    push: bool,
    builder: str | None,
    platforms: tuple[str, ...],
) -> None:
    from bentoml.yatai.client import get_yatai_client

    click.echo(f"Sending containerize RPC to YataiService at {yatai_url}")
    repository = get_yatai_client(yatai_url).repository
    built = repository.containerize(bento, tag, arguments, push, builder=builder, platforms=platforms)
    click.secho(f"Build container image: {built}", fg="green")
    if push:
        click.secho(f"Pushed container image: {built}", fg="green")


def _tag_of(bundle: Path) -> str:
    from bentoml.bundle.descriptor import read_descriptor

    return read_descriptor(bundle).tag


def _tag_of_directory(bento: str | None) -> str:
    """What a server knows a bundle by, also when its directory here is given."""
    assert bento is not None
    return _tag_of(Path(bento)) if Path(bento).is_dir() else bento


def _saved(installed: Path) -> Path:
    """The saved bundle of an installed one, which is a Python package and no build context."""
    from bentoml.yatai.client import get_yatai_client

    tag = _tag_of(installed)
    try:
        return get_yatai_client().repository.resolve(tag)
    except NotFound as err:
        raise NotFound(
            f"An image is built from the saved bundle, and the repository has no {tag}: {err}"
        ) from err


def named_values(texts: tuple[str, ...]) -> dict[str, str]:
    """`K=V` of every `--build-arg`. Raises `InvalidArgument`."""
    found = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator:
            raise InvalidArgument(f"--build-arg {text[:64]!r} is not written like NAME=value")
        found[name] = value
    return found
