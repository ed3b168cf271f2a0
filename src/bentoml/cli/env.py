"""`bentoml env`: a virtual environment in which a bundle can be served."""

from __future__ import annotations

from pathlib import Path

import click

from .command import Command
from .options import bento_epilog, locate, yatai_url_option
from .render import human_size


def command(_bundle: Path | None = None) -> click.Command:
    return env


@click.command(cls=Command, epilog=bento_epilog(None), prints_data=True)
@click.argument("bento", required=False)
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
@click.option("--from-index", is_flag=True, help="Do not use the wheels that were imported with the bundle.")
@click.option("--recreate", is_flag=True, help="Make it anew even if it is there.")
@click.option("--prune", is_flag=True, help="Instead, remove what no saved bundle needs any more.")
@click.option(
    "--unused-for",
    type=click.FloatRange(min=0),
    metavar="DAYS",
    help="With --prune: also remove environments that nobody has used for so many days.",
)
@yatai_url_option
def env(
    bento: str | None,
    path: Path | None,
    python: str | None,
    installer: str,
    wheels: Path | None,
    from_index: bool,
    recreate: bool,
    prune: bool,
    unused_for: float | None,
    yatai_url: str | None,
) -> None:
    """Make a virtual environment for a bundle, and print its directory.

    It holds what the bundle's requirements ask for and the library from the bundle itself. Bundles
    with the same requirements share one. With --prune, environments and imported wheels that no
    bundle of the repository needs are removed; what a running service uses stays.
    """
    if prune:
        if bento is not None:
            raise click.UsageError("--prune looks at all bundles of the repository; name none.")
        _prune(unused_for)
        return
    if bento is None:
        raise click.UsageError("Name a bundle, as NAME:VERSION or by its directory, or give --prune.")
    from bentoml.environments.build import make_environment

    made = make_environment(
        locate(bento, None, yatai_url),
        path=path,
        python=python,
        installer=installer,  # type: ignore[arg-type]
        wheels=wheels,
        from_index=from_index,
        recreate=recreate,
    )
    click.echo(made.path)


def _prune(unused_days: float | None) -> None:
    from bentoml.environments.prune import prune
    from bentoml.repository.open import open_repository

    done = prune(open_repository(), unused_days=unused_days)
    for path in done.environments:
        click.echo(f"Removed {path}")
    for digest in done.wheels:
        click.echo(f"Removed the wheels of the deleted bundle with digest {digest[:16]}")
    for path in done.in_use:
        click.echo(f"Kept {path}: a service runs in it", err=True)
    click.echo(f"Freed {human_size(done.freed_bytes)}")
