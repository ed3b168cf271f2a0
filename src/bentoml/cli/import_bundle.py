"""`bentoml import`: add an exported bundle to the repository."""

from __future__ import annotations

from pathlib import Path

import click

from .command import Command
from .options import verify_key_option


def command(_bundle: Path | None = None) -> click.Command:
    return import_command


@click.command("import", cls=Command)
@click.argument("source", metavar="FILE")
@click.option(
    "--with-labels/--without-labels", default=True, show_default=True, help="Keep the labels in the file."
)
@click.option(
    "--max-size",
    type=click.FloatRange(min=0, min_open=True),
    default=20.0,
    show_default=True,
    metavar="GIB",
    help="Most that is unpacked.",
)
@verify_key_option
def import_command(source: str, with_labels: bool, max_size: float) -> None:
    """Verify FILE and add the bundle in it to the local repository. Nothing of it is executed.

    FILE was made by `bentoml export`, or is an archive of a bundle; also an https://, s3:// or gs://
    address. Its wheels are kept, and environments of the bundle are made from them without an index.
    """
    from bentoml.bundle.archive import ArchiveLimits
    from bentoml.transfer import import_bundle

    limits = ArchiveLimits(unpacked_bytes=int(max_size * (1 << 30)))
    done = import_bundle(source, with_labels=with_labels, limits=limits)
    wheels = f" with {len(done.wheels.files)} wheels for {done.wheels.target}" if done.wheels else ""
    click.echo(f"Imported {done.tag}{wheels}")
