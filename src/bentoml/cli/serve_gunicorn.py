"""`bentoml serve-gunicorn`: the production command of 0.13, on the same server as `serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .command import Command
from .isolation import env_option, serve_isolated
from .options import bento_argument, bento_epilog, locate
from .serve_options import serve_options, start_server


def command(bundle: Path | None = None) -> click.Command:
    @click.command("serve-gunicorn", cls=Command, failed_name="serve_gunicorn", epilog=bento_epilog(bundle))
    @bento_argument(bundle)
    @serve_options
    @env_option
    @click.option(
        "--microbatch-workers",
        type=click.IntRange(min=1),
        envvar="BENTOML_MICROBATCH_WORKERS",
        help="Accepted for compatibility: one front process feeds all workers.",
    )
    def serve_gunicorn(
        yatai_url: str | None,
        env: str,
        microbatch_workers: int | None,
        bento: str | None = None,
        **options: Any,
    ) -> None:
        """Serve the APIs of a bundle over HTTP (the same server as `serve`)."""
        path = locate(bento, bundle, yatai_url)
        if env == "isolated":
            serve_isolated(path)
        start_server(path, options)

    return serve_gunicorn
