"""`--input-<name>` and `--input-file-<name>`: items of several fields from a command line."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bentoml.exceptions import InvalidArgument
from bentoml.types import Payload, RequestHead

from .cli_paths import expand_paths, read_path
from .form_fields import FormFields
from .form_writer import build_form
from .multipart import Part


class Given(NamedTuple):
    """What the command line says about one field: its values, and whether they name files."""

    name: str
    values: list[str]
    are_paths: bool


def add_form_flags(parser: argparse.ArgumentParser, fields: FormFields) -> None:
    """Two flags for each field; underscores of its name become dashes."""
    taken: set[str] = set()
    for place, name in enumerate(fields.names):
        for prefix, what, dest in (("--input-", "VALUE", "value"), ("--input-file-", "PATH", "path")):
            flag = prefix + name.replace("_", "-")
            if flag in taken:  # the fields `a` and `file_a`: the first one has it
                continue
            taken.add(flag)
            kind = "file" if name in fields.files else "text"
            parser.add_argument(
                flag, nargs="+", metavar=what, dest=f"{dest}_{place}", help=f"{kind} '{name}'"
            )


def read_forms(flags: argparse.Namespace, fields: FormFields) -> Iterator[Payload]:
    """One form per item; the n-th value of every field belongs to the n-th item.

    Raises:
        InvalidArgument: flags of both kinds, a field without values, lists of different lengths, or
            a file that cannot be read.
    """
    given = _given(flags, fields)
    for values in zip(*(field.values for field in given), strict=True):
        parts = [_part(fields, field, value) for field, value in zip(given, values, strict=True)]
        body, content_type = build_form(parts)
        yield Payload(body, RequestHead.build({"Content-Type": content_type}))


def _given(flags: argparse.Namespace, fields: FormFields) -> list[Given]:
    found: list[Given] = []
    for place, name in enumerate(fields.names):
        values = getattr(flags, f"value_{place}", None)
        paths = getattr(flags, f"path_{place}", None)
        if values and paths:
            raise InvalidArgument(f"Field '{name}' has both values and files; give it one of them")
        if values or paths:
            found.append(Given(name, expand_paths(paths) if paths else list(values or ()), bool(paths)))
    _check(found, fields)
    return found


def _check(given: list[Given], fields: FormFields) -> None:
    names = [field.name for field in given]
    may_miss = fields.optional | (frozenset(fields.texts) - fields.needed_texts)
    missing = [name for name in fields.names if name not in names and name not in may_miss]
    if missing or not given:
        flag = (missing or list(fields.names))[0].replace("_", "-")
        raise InvalidArgument(
            f"Every input needs a value: missing --input-{flag} or --input-file-{flag} "
            f"(inputs: {', '.join(fields.names)})"
        )
    if len({field.are_paths for field in given if field.name in fields.files}) > 1:
        raise InvalidArgument("Give either --input-<name> or --input-file-<name> for all inputs, not a mix")
    counts = {field.name: len(field.values) for field in given}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name}: {count}" for name, count in counts.items())
        raise InvalidArgument(f"All inputs need the same number of values; there are {listed}")


def _part(fields: FormFields, field: Given, value: str) -> Part:
    data = read_path(value) if field.are_paths else value.encode("utf-8", "surrogateescape")
    filename = (Path(value).name if field.are_paths else field.name) if field.name in fields.files else None
    return Part(field.name, filename, "", data)
