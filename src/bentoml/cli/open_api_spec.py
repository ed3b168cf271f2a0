"""`bentoml open-api-spec`: the OpenAPI document of a bundle's service."""

from __future__ import annotations

from pathlib import Path

import click

from .command import Command
from .options import bento_argument, bento_epilog, locate, verify_key_option, yatai_url_option


def command(bundle: Path | None = None) -> click.Command:
    @click.command("open-api-spec", cls=Command, epilog=bento_epilog(bundle), prints_data=True)
    @bento_argument(bundle)
    @verify_key_option
    @yatai_url_option
    def open_api_spec(yatai_url: str | None, bento: str | None = None) -> None:
        """Load a bundle and print the OpenAPI document of its service as JSON."""
        from bentoml.bundle.load import load_from_dir
        from bentoml.service.openapi import build_openapi

        from .render import print_document

        print_document(build_openapi(load_from_dir(locate(bento, bundle, yatai_url))), "json")

    return open_api_spec
