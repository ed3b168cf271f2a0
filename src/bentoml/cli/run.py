"""`bentoml run`: an API's function on data from the command line."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import click

from .command import Command
from .options import bento_argument, bento_epilog, locate, verify_key_option
from .run_options import is_offline, offline_options


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
    @verify_key_option
    @offline_options
    def run(api_name: str, run_args: tuple[str, ...], bento: str | None = None, **offline: Any) -> None:
        """Run the API named API_NAME of a bundle on data from the command line.

        What follows is read by the API's input adapter: --input VALUE... or --input-file FILE...,
        --max-batch-size N, -o/--output str|json, --format (data frames), --yatai-url.

        Any option below but the common ones makes it an offline run over rows: --input-file then
        names tables (csv, tsv, jsonl, parquet, arrow), folders of files, globs, URLs or - for
        standard input, and --format what they hold. See the page "Offline runs" of the documentation.
        """
        from bentoml.bundle.load import load_from_dir
        from bentoml.inference.cli_run import run_cli

        parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
        parser.add_argument("--yatai-url")
        known, rest = parser.parse_known_args(run_args)
        path = locate(bento, bundle, known.yatai_url)
        if is_offline(offline):
            from bentoml.offline.flags import run_flags

            raise click.exceptions.Exit(run_flags(path, api_name, offline, rest))
        service = load_from_dir(path)
        raise click.exceptions.Exit(run_cli(service.get_inference_api(api_name), rest))

    return run
