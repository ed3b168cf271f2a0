"""`bentoml serve`: a model server for development, or in front of users."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import click

from bentoml.exceptions import CLIException

from .command import Command
from .isolation import env_option, serve_isolated
from .options import bento_argument, bento_epilog, locate
from .serve_options import serve_options, start_server

logger = logging.getLogger("bentoml.cli")


def command(bundle: Path | None = None) -> click.Command:
    @click.command(cls=Command, epilog=bento_epilog(bundle))
    @bento_argument(bundle)
    @serve_options
    @env_option
    @click.option("--reload", is_flag=True, help="Load the bundle anew when one of its files changes.")
    @click.option(
        "--run-with-ngrok", is_flag=True, envvar="BENTOML_ENABLE_NGROK", help="No longer supported."
    )
    def serve(
        yatai_url: str | None,
        env: str,
        reload: bool,
        run_with_ngrok: bool,
        bento: str | None = None,
        **options: Any,
    ) -> None:
        """Serve the APIs of a bundle over HTTP."""
        if run_with_ngrok:
            raise CLIException(
                "--run-with-ngrok is not supported: this version downloads no programs. "
                "Run `ngrok http PORT` beside the server."
            )
        path = locate(bento, bundle, yatai_url)
        if env == "isolated":
            serve_isolated(path)
        start_server(path, options, reload=reload)

    return serve
