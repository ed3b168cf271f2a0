"""`bentoml env`: a virtual environment in which a bundle can be served."""

from __future__ import annotations

from pathlib import Path

import click

from .command import Command
from .options import bento_epilog, locate, yatai_url_option


def command(_bundle: Path | None = None) -> click.Command:
    return env


@click.command(cls=Command, epilog=bento_epilog(None), prints_data=True)
@click.argument("bento")
@click.option("--path", type=click.Path(path_type=Path), help="Where to make it.  [default: a shared place]")
@click.option("--python", help="Interpreter or version.  [default: the bundle's own X.Y]")
@click.option(
    "--installer",
    type=click.Choice(["auto", "uv", "pip"]),
    default="auto",
    help="Tool that installs; auto takes uv where it is there.",
)
@click.option(
    "--wheels",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Directory of wheels to install from, without an index.",
)
@click.option("--recreate", is_flag=True, help="Make it anew even if it is there.")
@yatai_url_option
def env(
    bento: str,
    path: Path | None,
    python: str | None,
    installer: str,
    wheels: Path | None,
    recreate: bool,
    yatai_url: str | None,
) -> None:
    """Make a virtual environment for a bundle, and print its directory.

    It holds what the bundle's requirements ask for and the library from the bundle itself. Bundles
    with the same requirements share one.
    """
    from bentoml.environments.build import make_environment

    made = make_environment(
        locate(bento, None, yatai_url),
        path=path,
        python=python,
        installer=installer,  # type: ignore[arg-type]
        wheels=wheels,
        recreate=recreate,
    )
    click.echo(made.path)
