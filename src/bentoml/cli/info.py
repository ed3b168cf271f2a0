"""`bentoml info`: a bundle's metadata, without executing anything of it."""

from __future__ import annotations

from pathlib import Path

import click

from .command import Command
from .options import bento_argument, bento_epilog, locate, yatai_url_option


def command(bundle: Path | None = None) -> click.Command:
    @click.command(cls=Command, epilog=bento_epilog(bundle), prints_data=True)
    @bento_argument(bundle)
    @yatai_url_option
    def info(yatai_url: str | None, bento: str | None = None) -> None:
        """Print the metadata of a bundle (APIs, artifacts, environment) as JSON."""
        from bentoml.bundle.metadata import metadata_dict

        from .render import print_document

        print_document(metadata_dict(locate(bento, bundle, yatai_url), camel=False), "json")

    return info
