"""`bentoml export`: a saved bundle as one file."""

from __future__ import annotations

import os
from pathlib import Path

import click

from .command import Command
from .options import bento_epilog
from .render import human_size
from .sign import PASSWORD_VARIABLE


def command(_bundle: Path | None = None) -> click.Command:
    return export


@click.command(cls=Command, epilog=bento_epilog(None))
@click.argument("bento")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="The file: .tar.zst, .tar.gz or .tar; or a directory.  [default: NAME-VERSION.tar.zst, here]",
)
@click.option("--with-wheels", is_flag=True, help="Pack every wheel that the bundle's environment needs.")
@click.option(
    "--platform",
    metavar="SYSTEM/CPU",
    help="What the wheels are for, such as linux/arm64.  [default: this platform]",
)
@click.option(
    "--python-version", metavar="X.Y", help="The Python that they are for.  [default: the bundle's own]"
)
@click.option(
    "--find-links",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Directory with more wheels, such as those that you built from source.",
)
@click.option(
    "--key",
    "key_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Private key that signs the list of wheels; BENTOML_KEY_PASSWORD holds its password.",
)
@click.option("--with-labels/--without-labels", default=True, show_default=True, help="Pack the labels too.")
@click.option("--overwrite", is_flag=True, help="Replace the file if it is there.")
def export(
    bento: str,
    output: Path | None,
    with_wheels: bool,
    platform: str | None,
    python_version: str | None,
    find_links: tuple[Path, ...],
    key_file: Path | None,
    with_labels: bool,
    overwrite: bool,
) -> None:
    """Pack a bundle into one file, which `bentoml import` adds to the repository of another machine.

    With --with-wheels the other machine needs no package index: `bentoml serve --env isolated` makes
    the environment from the wheels in the file.
    """
    from bentoml.bundle.trust.keys import load_private_key
    from bentoml.transfer import export_bundle

    if not with_wheels and (platform or python_version or find_links):
        raise click.UsageError(
            "--platform, --python-version and --find-links are about wheels; add --with-wheels."
        )
    key = load_private_key(key_file, os.environ.get(PASSWORD_VARIABLE) or None) if key_file else None
    done = export_bundle(
        bento,
        output,
        with_wheels=with_wheels,
        platform=platform,
        python=python_version,
        find_links=find_links,
        private_key=key,
        with_labels=with_labels,
        overwrite=overwrite,
    )
    wheels = f" with {len(done.wheels.files)} wheels for {done.wheels.target}" if done.wheels else ""
    click.echo(f"Exported {done.tag}{wheels} to {done.path} ({human_size(done.size_bytes)})")
