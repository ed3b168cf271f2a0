"""The flags of `bentoml run` that make it an offline run, and the call they stand for."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bentoml.exceptions import InvalidArgument

from .extra import require_packages

if TYPE_CHECKING:
    from .values import Summary


def run_flags(bundle: Path, api_name: str, flags: Mapping[str, Any], rest: Sequence[str]) -> int:
    """Run offline as `flags` say, and print the summary to standard error.

    Args:
        flags: the options that only offline runs have, None or empty where they were not given.
        rest: other arguments: `--input-file`, `--format` and `--max-batch-size`.

    Returns:
        0; 1 if any row failed; 2 if `rest` is wrong (the help is on standard error).
    """
    require_packages()
    try:
        known = _parser(api_name).parse_args(list(rest))
    except SystemExit as done:
        return int(done.code or 0)
    summary = _run(bundle, api_name, flags, known)
    sys.stderr.write(f"{summary}\n")
    return 1 if summary.failed else 0


def _run(bundle: Path, api_name: str, flags: Mapping[str, Any], known: argparse.Namespace) -> Summary:
    from .entry import run  # noqa: PLC0415 - after the check that its packages are there

    return run(
        bundle,
        api_name,
        _source(flags["input_sql"], known.input_file),
        _sink(flags["output_sql"], flags["output_file"]),
        source_format=known.format,
        sink_format=flags["output_format"],
        keep=[name for names in flags["keep"] for name in names.split(",") if name],
        workers=flags["workers"],
        job=flags["job"],
        max_errors=flags["max_errors"],
        batch_size=flags["batch_size"] or known.max_batch_size,
        bad_rows=flags["bad_rows"],
        **_engine(flags),
    )


def _engine(flags: Mapping[str, Any]) -> dict[str, Any]:
    ray, spark = flags["ray_address"], flags["spark_master"]
    implied = {"ray": ray or flags["ray_gpus"], "spark": spark}
    named = {name for name, value in implied.items() if value} | ({flags["engine"]} - {None})
    if len(named) > 1:
        raise InvalidArgument(
            f"An offline run has one engine, and the options name {' and '.join(sorted(named))}"
        )
    engine = named.pop() if named else "local"
    return {"engine": engine, "address": ray or spark, "gpus": flags["ray_gpus"] or 0}


def _source(query: tuple[str, str] | None, files: list[str] | None) -> Any:
    if bool(query) == bool(files):
        raise InvalidArgument("An offline run reads one input: --input-file FILE... or --input-sql URL QUERY")
    if files:
        return files
    from .sources.sql import SqlQuery  # noqa: PLC0415

    assert query is not None
    return SqlQuery(*query)


def _sink(table: tuple[str, str] | None, file: str | None) -> Any:
    if table and file:
        raise InvalidArgument(
            "An offline run writes one output: --output-file FILE or --output-sql URL TABLE"
        )
    if not table:
        return file or "-"
    from .sinks.sql import SqlTable  # noqa: PLC0415

    return SqlTable(*table)


def _parser(api_name: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"bentoml run <bento> {api_name}",
        allow_abbrev=False,
        description="The arguments of an offline run beside the options of `bentoml run --help`.",
    )
    parser.add_argument("--input-file", nargs="+", metavar="FILE", help="files, folders, globs, URLs, or -")
    parser.add_argument("--format", help="what the input files hold, where their ending does not tell")
    parser.add_argument("--max-batch-size", type=int, metavar="N", help="the same as --batch-size")
    return parser
