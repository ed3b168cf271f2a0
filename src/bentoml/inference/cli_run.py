"""`bentoml run`: items from the command line through the pipeline, one line each to stdout."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from bentoml.adapters.base_input import is_foreign
from bentoml.adapters.cli_output import print_reply
from bentoml.exceptions import InvalidArgument
from bentoml.types import Reply

from .pipeline import Pipeline
from .session import Session

if TYPE_CHECKING:
    from bentoml.service.inference_api import InferenceAPI

T = TypeVar("T")


def build_parser(api: InferenceAPI) -> argparse.ArgumentParser:
    """The flags of one API: its input adapter's, `--max-batch-size` and `--output`."""
    parser = argparse.ArgumentParser(
        prog=f"bentoml run <bento> {api.name}", description=api.doc, allow_abbrev=False
    )
    api.input_adapter.add_cli_flags(parser)
    parser.add_argument(
        "--max-batch-size", type=_positive, default=sys.maxsize, metavar="N", help="items in one call"
    )
    parser.add_argument(
        "-o", "--output", choices=("str", "json"), default="json", help="how JSON results are printed"
    )
    return parser


def run_cli(api: InferenceAPI, argv: Sequence[str]) -> int:
    """Run the items that `argv` names and print one line per result.

    The service's worker start hooks run before, its stop hooks after.

    Returns:
        0; 1 if any item ended in an error; 2 if the flags are wrong (their help is on stderr).
    """
    try:
        flags = build_parser(api).parse_args(list(argv))
    except SystemExit as done:
        return int(done.code or 0)
    code = 0
    try:
        with Session(api.service) as session:
            for reply in _replies(api, session, flags, argv):
                code |= print_reply(reply, flags.output)
    except InvalidArgument as err:
        sys.stderr.write(f"{err}\n")
        return 1
    return code


def _replies(
    api: InferenceAPI, session: Session, flags: argparse.Namespace, argv: Sequence[str]
) -> Iterator[Reply]:
    pipeline = Pipeline(api)
    if is_foreign(api.input_adapter, "from_cli"):
        for tasks in _chunks(api.input_adapter.from_cli(list(argv)), flags.max_batch_size):
            if api.is_async:
                yield from session.wait_for(partial(pipeline.run_tasks_async, tasks))
            else:
                yield from pipeline.run_tasks(tasks)
        return
    for payloads in _chunks(api.input_adapter.payloads_of_flags(flags), flags.max_batch_size):
        if api.is_async:
            yield from session.wait_for(partial(pipeline.run_async, payloads))
        else:
            yield from pipeline.run(payloads)


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    source = iter(items)
    while chunk := list(islice(source, size)):
        yield chunk


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value
