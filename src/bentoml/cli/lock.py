"""`bentoml lock`: pin everything that a bundle's environment will hold, with digests."""

from __future__ import annotations

from pathlib import Path

import click

from .command import Command
from .options import bento_epilog


def command(_bundle: Path | None = None) -> click.Command:
    return lock


@click.command(cls=Command, epilog=bento_epilog(None))
@click.argument("bento")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the lock to this file, and leave the bundle as it is.",
)
def lock(bento: str, output: Path | None) -> None:
    """Resolve a bundle's requirements with uv and put requirements.lock into it.

    Environments and images made from the bundle afterwards hold exactly these files.
    """
    from bentoml.environments.lock import add_lock, resolve_lock
    from bentoml.repository.open import open_repository

    repository = open_repository()
    path = repository.resolve(bento)
    text = resolve_lock(path)
    if output is not None:
        output.write_text(text, "utf-8")
        click.echo(f"Wrote {output}")
        return
    if Path(bento).is_dir():
        add_lock(path, text)
    else:
        repository.rewrite(bento, lambda bundle: add_lock(bundle, text))
    packages = sum(not line.startswith((" ", "#", "-")) for line in text.splitlines() if line)
    click.echo(f"Locked {packages} packages of {bento}")
