"""`bentoml check-batching`: does each item get the same answer alone and in a batch?"""

from __future__ import annotations

import argparse
from pathlib import Path

import click

from .command import Command
from .options import bento_argument, bento_epilog, locate, verify_key_option


def command(bundle: Path | None = None) -> click.Command:
    @click.command(
        "check-batching",
        cls=Command,
        epilog=bento_epilog(bundle),
        prints_data=True,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )
    @bento_argument(bundle)
    @verify_key_option
    @click.argument("api_name")
    @click.argument("check_args", nargs=-1, type=click.UNPROCESSED)
    def check_batching(api_name: str, check_args: tuple[str, ...], bento: str | None = None) -> None:
        """Check that the API named API_NAME gives each item the same answer alone and in a batch.

        The items are read by the API's input adapter, as in `bentoml run`: --input VALUE... or
        --input-file FILE...; the rows of a table are items of their own. Further options:
        --batch-size N (largest batch), --tolerance X (for floats, 1e-5 by default), --rounds N and
        --seed N (random partitions). Exit code 0 if all answers are the same, 1 if not.
        """
        from bentoml.bundle.load import load_from_dir
        from bentoml.inference.cli_check import run_check

        parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
        parser.add_argument("--yatai-url")
        known, rest = parser.parse_known_args(check_args)
        service = load_from_dir(locate(bento, bundle, known.yatai_url))
        raise click.exceptions.Exit(run_check(service.get_inference_api(api_name), rest))

    return check_batching
