"""`bentoml run`: an API's function on data from the command line."""

from __future__ import annotations

import argparse
from pathlib import Path

import click

from .command import Command
from .options import bento_argument, bento_epilog, locate


def command(bundle: Path | None = None) -> click.Command:
    @click.command(
        cls=Command,
        epilog=bento_epilog(bundle),
        prints_data=True,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )
    @bento_argument(bundle)
    @click.argument("api_name")
    @click.argument("run_args", nargs=-1, type=click.UNPROCESSED)
    def run(api_name: str, run_args: tuple[str, ...], bento: str | None = None) -> None:
        """Run the API named API_NAME of a bundle on data from the command line.

        What follows is read by the API's input adapter: --input VALUE... or --input-file FILE...,
        --max-batch-size N, -o/--output str|json, --format (data frames), --yatai-url.
        """
        from bentoml.bundle.load import load_from_dir
        from bentoml.inference.cli_run import run_cli

        parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
        parser.add_argument("--yatai-url")
        known, rest = parser.parse_known_args(run_args)
        service = load_from_dir(locate(bento, bundle, known.yatai_url))
        raise click.exceptions.Exit(run_cli(service.get_inference_api(api_name), rest))

    return run
