"""`bentoml verify`: does a saved bundle still answer as it did when it was saved?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .command import Command
from .options import bento_argument, bento_epilog, locate, output_option, verify_key_option, yatai_url_option


def command(bundle: Path | None = None) -> click.Command:
    @click.command(cls=Command, epilog=bento_epilog(bundle), prints_data=True)
    @bento_argument(bundle)
    @click.option("--isolated", is_flag=True, help="In the bundle's own environment, made if need be.")
    @click.option(
        "--tolerance",
        type=click.FloatRange(min=0),
        default=1e-5,
        show_default=True,
        help="Share of a float by which an answer may differ from the stored one.",
    )
    @click.option(
        "--max-latency",
        type=click.FloatRange(min=0, min_open=True),
        help="Milliseconds that one request may take (median).",
    )
    @click.option(
        "--max-memory",
        type=click.FloatRange(min=0, min_open=True),
        help="MiB that the process may hold at its peak.",
    )
    @click.option("--require-examples", is_flag=True, help="Fail if the bundle stores no examples.")
    @click.option(
        "--timeout", type=click.FloatRange(min=0, min_open=True), default=600.0, help="Seconds for all of it."
    )
    @verify_key_option
    @yatai_url_option
    @output_option("text", "text", "json")
    def verify(
        isolated: bool,
        tolerance: float,
        max_latency: float | None,
        max_memory: float | None,
        require_examples: bool,
        timeout: float,
        yatai_url: str | None,
        output: str,
        bento: str | None = None,
    ) -> None:
        """Load a bundle in a fresh process and replay the examples stored in it.

        First every file is compared with its digest. Then each example runs alone and in a batch, and
        its answer is compared with the stored one. Exit code 1 and the reason if anything differs.
        """
        from bentoml.inference.verify import Limits, verify_bundle

        from .render import print_document

        path = locate(bento, bundle, yatai_url)
        report = verify_bundle(
            path,
            python=_python_of(path) if isolated else None,
            tolerance=tolerance,
            limits=Limits(
                max_latency / 1000 if max_latency is not None else None,
                int(max_memory * 2**20) if max_memory is not None else None,
            ),
            require_examples=require_examples,
            timeout_s=timeout,
        )
        document = report.to_dict()
        if output == "json":
            print_document(document, "json")
        else:
            click.echo(describe(document))
        if not report.ok:
            raise click.exceptions.Exit(1)

    return verify


def _python_of(path: Path) -> Path:
    from bentoml.environments.build import make_environment

    return make_environment(path).python


def describe(document: dict[str, Any]) -> str:
    """The report for people."""
    mib = 1 << 20
    lines = [
        f"{document['bundle']}: every file is as it was saved",
        f"  loaded in {document['load_s']:.2f} s, {document['memory_bytes'] / mib:.0f} MiB for the service, "
        f"{document['peak_bytes'] / mib:.0f} MiB at the peak",
    ]
    for row in document["apis"]:
        batch = f", {row['batch']} in a batch in {row['batch_s'] * 1000:.1f} ms" if row["batch"] else ""
        lines.append(
            f"  {row['api']}: {row['examples']} examples, {row['latency_s'] * 1000:.2f} ms for one{batch}"
        )
    if document["ok"] and not document["examples"]:
        lines.append("OK, but it stores no examples: service.save(examples={...}) lets it prove its answers")
    elif document["ok"]:
        lines.append("OK: every answer is the stored one")
    else:
        lines += ["FAILED:", *(f"  {text}" for text in document["reasons"])]
    return "\n".join(lines)
