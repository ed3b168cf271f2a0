"""The options of `bentoml run` that make it an offline run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from .options import add_options

_AT_LEAST_1 = click.IntRange(min=1)

offline_options = add_options(
    click.option("--output-file", metavar="FILE", help="Write predictions here; into a folder/ as files."),
    click.option("--output-format", metavar="NAME", help="Format of the output, if not by its ending."),
    click.option("--output-sql", nargs=2, metavar="URL TABLE", help="Write predictions to a new table."),
    click.option("--input-sql", nargs=2, metavar="URL QUERY", help="Read the rows of an SQL query."),
    click.option("--keep", multiple=True, metavar="NAMES", help="Input columns to write too; '*' for all."),
    click.option(
        "--workers", type=_AT_LEAST_1, metavar="N", help="Processes with the service loaded in each."
    ),
    click.option("--engine", metavar="NAME", help="Where it runs: local (default), ray or spark."),
    click.option("--ray-address", metavar="ADDRESS", help="Run on this Ray cluster, such as auto."),
    click.option("--ray-gpus", type=float, metavar="N", help="GPUs that each copy reserves on Ray."),
    click.option("--spark-master", metavar="URL", help="Run on this Spark, such as spark://host:7077."),
    click.option("--batch-size", type=_AT_LEAST_1, metavar="N", help="Rows of one call; adapts by default."),
    click.option("--job", metavar="DIR", help="Keep the state here; the same command goes on after a crash."),
    click.option("--max-errors", type=click.IntRange(min=0), metavar="N", help="Stop when more rows failed."),
    click.option("--bad-rows", metavar="FILE", help="Write failed rows here, with number and reason."),
)


def is_offline(flags: Mapping[str, Any]) -> bool:
    """Whether one of these options was given."""
    return any(value not in (None, ()) for value in flags.values())
