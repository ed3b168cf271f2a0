"""`bentoml inspect`: what a bundle contains, without executing anything of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from bentoml.exceptions import BundleCorrupted

from .command import Command
from .options import bento_argument, bento_epilog, locate, output_option, yatai_url_option
from .render import human_size

_SHOWN_NAMES = 40
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")


def command(bundle: Path | None = None) -> click.Command:
    @click.command("inspect", cls=Command, epilog=bento_epilog(bundle), prints_data=True)
    @bento_argument(bundle)
    @click.option("--skip-hashing", is_flag=True, help="Do not compare the files with their digests.")
    @click.option(
        "--imports-only", is_flag=True, help="Print what its pickles import, as trust.pickle_allow takes it."
    )
    @yatai_url_option
    @output_option("text", "text", "json", "yaml")
    def inspect(
        skip_hashing: bool,
        imports_only: bool,
        yatai_url: str | None,
        output: str,
        bento: str | None = None,
    ) -> None:
        """Show what a bundle contains: APIs, artifacts, sizes, requirements, signatures.

        For every pickle it says what loading would import, found by reading its opcodes. Nothing of
        the bundle is executed, imported or unpickled. Exit code 1 if a file differs from its digest.
        """
        from bentoml.bundle.inspection import inspect_bundle

        from .render import print_document

        found = inspect_bundle(locate(bento, bundle, yatai_url), verify=not skip_hashing)
        document = found.to_dict()
        if imports_only:
            names = {name for artifact in document["artifacts"] for name in artifact["imports"]}
            click.echo("\n".join(sorted(names)))
        elif output == "text":
            click.echo(describe(document))
        else:
            print_document(document, output)
        if not found.is_intact:
            raise BundleCorrupted(found.integrity)

    return inspect


def describe(document: dict[str, Any]) -> str:
    """The document for people."""
    document = _escaped(document)
    lines = [
        click.style(f"{document['name']}:{document['version']}", bold=True),
        f"  saved      {document['created_at']} by bentoml {document['bentoml_version']}",
        f"  location   {document['path']}",
        f"  size       {human_size(document['size_bytes'])} ({_parts(document['sizes_bytes'])})",
        f"  integrity  {_integrity(document['integrity'])}",
        *_signatures(document["signatures"]),
        "",
        click.style("APIs", bold=True),
    ]
    for api in document["apis"]:
        batch = ", micro-batched" if api["batch"] else ""
        lines.append(f"  /{api['route']}  {api['input']} -> {api['output']}{batch}")
    lines += ["", click.style("Artifacts", bold=True), *([] if document["artifacts"] else ["  none"])]
    for artifact in document["artifacts"]:
        lines += _artifact(artifact)
    for file in document["files_of_no_artifact"]:
        lines.append(f"  {file['path']}  {human_size(file['size_bytes'])}, belongs to no artifact")
    lines += ["", click.style("Environment", bold=True), *_environment(document["environment"])]
    lines += ["", click.style("Code", bold=True) + " (runs when the bundle is loaded)"]
    lines += [f"  {name}" for name in document["code"][:_SHOWN_NAMES]]
    lines += _more(document["code"])
    return "\n".join(lines)


def _artifact(artifact: dict[str, Any]) -> list[str]:
    kind = (
        click.style("data only", fg="green")
        if artifact["data_only"]
        else click.style("runs code", fg="yellow")
    )
    lines = [f"  {artifact['name']}  {artifact['type']}, {human_size(artifact['size_bytes'])}, {kind}"]
    lines += [
        f"    {f['path']}  {human_size(f['size_bytes'])}, {f['format']}"
        for f in artifact["files"][:_SHOWN_NAMES]
    ]
    lines += _more(artifact["files"])
    if artifact["packages"]:
        lines.append("    saved with " + ", ".join(f"{k} {v}" for k, v in artifact["packages"].items()))
    if artifact["imports"]:
        lines.append("    loading it imports:")
    for name in artifact["imports"][:_SHOWN_NAMES]:
        called = " (called)" if name in artifact["calls"] else ""
        alarm = click.style("  runs commands or code", fg="red") if name in artifact["alarming"] else ""
        lines.append(f"      {name}{called}{alarm}")
    lines += _more(artifact["imports"])
    lines += [click.style(f"    not looked at: {text}", fg="red") for text in artifact["not_looked_at"]]
    return lines


def _signatures(signatures: list[dict[str, Any]]) -> list[str]:
    if not signatures:
        return ["  signed     no"]
    words = {None: "no trusted keys are set", True: "trusted", False: "not trusted"}
    return [
        f"  signed     by key {one['key_id']} at {one['signed_at']}: "
        f"{'valid' if one['valid'] else 'NOT VALID'}, {words[one['trusted']]}"
        for one in signatures
    ]


def _environment(environment: dict[str, Any]) -> list[str]:
    lines = [f"  Python {environment['python_version']}, image {environment['docker_base_image']}"]
    if environment["setup_script"]:
        lines.append("  a set-up script runs when an image or environment is made")
    if environment["conda"]:
        lines.append("  has conda packages")
    return lines + [f"  {line}" for line in environment["requirements"]]


def _integrity(text: str) -> str:
    return text if text in ("intact", "not checked", "no manifest (0.13)") else click.style(text, fg="red")


def _parts(sizes: dict[str, int]) -> str:
    return ", ".join(f"{name} {human_size(size)}" for name, size in sizes.items() if size)


def _more(items: list[Any]) -> list[str]:
    return [f"    ... and {len(items) - _SHOWN_NAMES} more (-o json)"] if len(items) > _SHOWN_NAMES else []


def _escaped(value: Any) -> Any:
    """The same with control characters spelled out: they could move a terminal's cursor."""
    if isinstance(value, dict):
        return {_escaped(key): _escaped(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_escaped(inner) for inner in value]
    if not isinstance(value, str):
        return value
    return _CONTROL.sub(lambda found: found.group().encode("unicode_escape").decode(), value)
