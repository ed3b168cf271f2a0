"""`bentoml yatai note`: a text that people read about a bundle."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from .command import Command
from .options import yatai_url_option
from .registry import reference, registry_calls


def command(_bundle: Path | None = None) -> click.Command:
    return note


@click.command(cls=Command, failed_name="yatai note")
@click.argument("bento")
@click.argument("text")
@yatai_url_option
def note(bento: str, text: str, yatai_url: str | None) -> None:
    """Replace the note (Markdown) about BENTO by TEXT; `-` reads it from stdin."""
    content = sys.stdin.read() if text == "-" else text
    registry_calls(yatai_url).call("UpdateBentoNote", bento=reference(bento), note=content)
    click.echo(f"Noted about {bento}")
