"""Options of the two serving commands, and the settings that follow from them."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import click

from .command import log_settings
from .options import Decorator, add_options, verify_key_option, yatai_url_option

logger = logging.getLogger("bentoml.cli")

_POSITIVE = click.IntRange(min=1)

_batching: Decorator[Any] = add_options(
    click.option(
        "--enable-microbatch/--disable-microbatch",
        "enable_microbatch",
        default=None,
        envvar="BENTOML_ENABLE_MICROBATCH",
        help="Deprecated: batching follows each API's own `batch=`.",
    ),
    click.option(
        "--mb-max-batch-size",
        type=_POSITIVE,
        envvar="BENTOML_MB_MAX_BATCH_SIZE",
        show_envvar=True,
        help="Requests in one batch, instead of each API's own limit.",
    ),
    click.option(
        "--mb-max-latency",
        type=_POSITIVE,
        envvar="BENTOML_MB_MAX_LATENCY",
        show_envvar=True,
        help="Latency goal in milliseconds, instead of each API's own.",
    ),
)

serve_options: Decorator[Any] = add_options(
    click.option(
        "--host", envvar="BENTOML_HOST", show_envvar=True, help="Address to listen on.  [default: 0.0.0.0]"
    ),
    click.option(
        "-p",
        "--port",
        type=click.IntRange(0, 65535),
        envvar="BENTOML_PORT",
        show_envvar=True,
        help="Port to listen on; 0 takes a free one.  [default: 5000]",
    ),
    click.option(
        "--fd",
        type=click.IntRange(min=0),
        help="Listen on this open socket, which a supervisor hands over, instead of host and port.",
    ),
    click.option(
        "-w",
        "--workers",
        type=_POSITIVE,
        envvar="BENTOML_GUNICORN_WORKERS",
        show_envvar=True,
        help="Processes that run the model.  [default: 1]",
    ),
    click.option(
        "--devices",
        envvar="BENTOML_DEVICES",
        show_envvar=True,
        help="CUDA devices for the workers in turn, such as 0,1; cpu hides all.  [default: all are seen]",
    ),
    click.option(
        "--preload/--no-preload",
        "preload",
        default=None,
        envvar="BENTOML_PRELOAD",
        show_envvar=True,
        help="Load the service once and fork the workers from there: they share the model's memory (Linux)."
        "  [default: off]",
    ),
    click.option(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True),
        help="Seconds until an unanswered prediction gets an error.  [default: 60]",
    ),
    click.option(
        "--grace",
        type=click.FloatRange(min=0),
        help="Seconds for running requests to finish when the server is stopped.  [default: 30]",
    ),
    verify_key_option,
    _batching,
    click.option("--prefix", help="URL path that a reverse proxy puts in front, such as /models/iris."),
    click.option(
        "--enable-swagger/--disable-swagger",
        "enable_swagger",
        default=None,
        envvar="BENTOML_ENABLE_SWAGGER",
        show_envvar=True,
        help="Serve the pages with the documentation.  [default: enabled]",
    ),
    yatai_url_option,
)


def start_server(path: Path, options: dict[str, Any], *, reload: bool = False) -> None:
    """Serve the bundle at `path` with the settings that the command line asks for; blocks."""
    from bentoml.server.run import serve
    from bentoml.settings import load_settings

    if options["enable_microbatch"] is not None:
        logger.warning(
            "Option --enable-microbatch/--disable-microbatch is deprecated and has no effect: batching "
            "follows each API's `batch=`. Use --mb-max-batch-size=1 for batches of one request."
        )
    settings = load_settings(
        host=options["host"],
        port=options["port"],
        fd=options["fd"],
        workers=options["workers"],
        devices=options["devices"],
        preload=options["preload"],
        timeout_s=options["timeout"],
        grace_s=options["grace"],
        max_batch_size=options["mb_max_batch_size"],
        max_latency_ms=options["mb_max_latency"],
        prefix=options["prefix"],
        swagger_enabled=options["enable_swagger"],
        **log_settings(),
    )
    serve(path, settings, reload=reload, ends_process=True)
