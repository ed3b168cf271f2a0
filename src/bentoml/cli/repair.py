"""`bentoml repair`: make the repository's index agree with the bundles on disk."""

from __future__ import annotations

from pathlib import Path

import click

from .command import Command


def command(_bundle: Path | None = None) -> click.Command:
    return repair


@click.command(cls=Command)
def repair() -> None:
    """Complete the repository's index, or rebuild a damaged one, from the saved bundles.

    Bundles are never changed. A damaged index is moved aside and kept.
    """
    from bentoml.repository.open import open_repository
    from bentoml.repository.repair import repair as repair_index

    report = repair_index(open_repository())
    if report.moved_aside is not None:
        click.echo(f"Moved the damaged index to {report.moved_aside}")
    for tag in report.added:
        click.echo(f"Added {tag}")
    for path, reason in report.skipped.items():
        click.secho(f"Skipped {path}: {reason}", fg="yellow", err=True)
    click.echo(f"{len(report.added)} bundles added, {len(report.skipped)} skipped")
