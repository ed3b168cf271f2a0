"""`bentoml check-batching`: reads the items, runs the check, and says what it found."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bentoml.adapters.base_input import is_foreign
from bentoml.adapters.dataframe_input import DataframeInput
from bentoml.exceptions import BentoMLException
from bentoml.types import Reply

from .batch_check import BatchReport, Finding, Run, check_items, payload_runner, task_runner
from .session import Session
from .table_rows import rows_of

if TYPE_CHECKING:
    from bentoml.service.inference_api import InferenceAPI

SHOWN = 10
WIDTH = 160
HINT = (
    "Usual causes: statistics over the batch (mean, max, normalisation), padding that the model sees,\n"
    "a network in training mode, results in another order than the inputs, state between calls."
)


def build_parser(api: InferenceAPI) -> argparse.ArgumentParser:
    """The flags of one API: its input adapter's, and those of the check."""
    parser = argparse.ArgumentParser(
        prog=f"bentoml check-batching <bento> {api.name}", description=api.doc, allow_abbrev=False
    )
    api.input_adapter.add_cli_flags(parser)
    parser.add_argument("--batch-size", type=_at_least_two, metavar="N", help="items in the largest batch")
    parser.add_argument("--rounds", type=int, default=4, metavar="N", help="random partitions to try")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the random partitions")
    parser.add_argument(
        "--tolerance",
        type=float,
        metavar="X",
        help="share of a float by which two answers may differ (default 1e-5; 0 for exact)",
    )
    return parser


def run_check(api: InferenceAPI, argv: Sequence[str]) -> int:
    """Check the items that `argv` names and print the report.

    Returns:
        0 if every item has its own answer; 1 if not, or if nothing could be compared; 2 if the flags
        are wrong.
    """
    try:
        flags = build_parser(api).parse_args(list(argv))
    except SystemExit as done:
        return int(done.code or 0)
    try:
        with Session(api.service) as session:
            items, names, run = _items(api, session, flags, argv)
            report = check_items(
                api,
                items,
                run,
                batch_size=flags.batch_size,
                rounds=flags.rounds,
                tolerance=flags.tolerance,
                seed=flags.seed,
            )
    except BentoMLException as err:
        sys.stderr.write(f"{err}\n")
        return 1
    sys.stdout.write(describe(report, names))
    return 0 if report.ok else 1


def _items(
    api: InferenceAPI, session: Session, flags: argparse.Namespace, argv: Sequence[str]
) -> tuple[list[Any], list[str], Run]:
    adapter = api.input_adapter
    if is_foreign(adapter, "from_cli"):
        tasks = list(adapter.from_cli(list(argv)))
        return tasks, [f"item {i}" for i in range(len(tasks))], task_runner(api, session)
    payloads = list(adapter.payloads_of_flags(flags))
    if isinstance(adapter, DataframeInput):
        payloads = [row for payload in payloads for row in rows_of(adapter, payload)]
    names = [f"item {i}{f' ({p.name})' if p.name else ''}" for i, p in enumerate(payloads)]
    return payloads, names, payload_runner(api, session)


def describe(report: BatchReport, names: Sequence[str] | None = None) -> str:
    """The report as text."""
    names = names or [f"item {i}" for i in range(report.items)]
    largest = max(report.batches, default=0)
    lines = [
        f"API '{report.api}': {report.items} items, each alone and in {len(report.batches)} batches "
        f"of up to {largest}."
    ]
    lines += [
        f"  {names[i]} is an error alone and was left out: {_short(t)}" for i, t in report.failing.items()
    ]
    lines += [f"  {names[i]} has another answer when it is run alone again" for i in report.unsteady]
    for finding in report.findings[:SHOWN]:
        lines += ["", *_finding(finding, names)]
    if len(report.findings) > SHOWN:
        lines.append(f"\n  ... and {len(report.findings) - SHOWN} more items")
    return "\n".join([*lines, "", _verdict(report)]) + "\n"


def _finding(finding: Finding, names: Sequence[str]) -> list[str]:
    others = [names[i] for i in finding.batch if i != finding.item]
    company = ", ".join(others[:4]) + (f" and {len(others) - 4} more" if len(others) > 4 else "")
    return [
        f"  {names[finding.item]}: the answer depends on the batch ({finding.where})",
        f"    alone:      {_body(finding.alone)}",
        f"    in a batch: {_body(finding.together)}",
        f"    with:       {company}",
    ]


def _verdict(report: BatchReport) -> str:
    if report.findings:
        count = len(report.findings)
        return f"FAILED: {count} of {report.compared} items have another answer in a batch.\n{HINT}"
    if report.unsteady:
        return (
            "FAILED: the function gives one item different answers even alone, so batches cannot be judged.\n"
            "Fix its random seed, or check it with a deterministic model."
        )
    if report.compared < 2:
        return "FAILED: fewer than two items could be compared."
    exact = report.tolerance.relative == 0
    same = "the same answer" if exact else f"the same answer (floats within {report.tolerance.relative:g})"
    return f"OK: each of {report.compared} items has {same} alone and in every batch."


def _body(reply: Reply) -> str:
    return f"{reply.head.status} {_short(reply.body.decode('utf-8', 'replace'))}"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 3]}..."


def _at_least_two(text: str) -> int:
    value = int(text)
    if value < 2:
        raise argparse.ArgumentTypeError("must be 2 or more")
    return value
