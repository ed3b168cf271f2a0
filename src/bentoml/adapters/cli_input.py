"""`--input` and `--input-file`: payloads from a command line."""

from __future__ import annotations

import argparse
import codecs
from collections.abc import Iterator, Mapping
from pathlib import Path

from bentoml.types import EMPTY_HEAD, Payload, RequestHead

from .cli_paths import expand_paths, read_path


def add_input_flags(parser: argparse.ArgumentParser) -> None:
    """Exactly one of `--input` and `--input-file`, each with one or more values."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--input", nargs="+", metavar="VALUE", help="items given on the command line")
    source.add_argument(
        "--input-file", nargs="+", metavar="PATH", help="files, folders or globs, one item a file"
    )


def read_payloads(flags: argparse.Namespace, headers: Mapping[str, str] | None = None) -> Iterator[Payload]:
    """One payload per value, read when it is asked for. Raises `InvalidArgument` for a missing file."""
    head = RequestHead.build(headers) if headers else EMPTY_HEAD
    for text in flags.input or ():
        yield Payload(text.encode("utf-8", "surrogateescape"), head)
    for name in expand_paths(flags.input_file or ()):
        yield Payload(read_path(name), head, "", Path(name).name)


def with_detected_charset(payload: Payload) -> Payload:
    """Name UTF-16 in the head of a text file that starts with its byte order mark."""
    if not payload.body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return payload
    headers = dict(payload.head.headers)
    kind = payload.head.content_type or "text/plain"
    headers.pop("Content-Type", None)
    headers["Content-Type"] = f"{kind}; charset=utf-16"
    return payload._replace(head=RequestHead.build(headers))
