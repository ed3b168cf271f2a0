"""YAML as 0.13 wrote it (YAML 1.2 words, 1.1 timestamps), read and written without surprises.

PyYAML follows YAML 1.1, in which the service version `20210926174550_123456` is a number and the
API name `on` a boolean. The loader here knows only the 1.2 words; the dumper quotes whatever either
standard could take for something other than text. Documents are data: no tags that build objects,
and a cap on what aliases may multiply.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from bentoml.exceptions import BundleCorrupted

MAX_BYTES = 8 * 1024 * 1024
MAX_NODES = 200_000

_WORDS: list[tuple[str, str, str]] = [
    ("tag:yaml.org,2002:bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("tag:yaml.org,2002:int", r"^[-+]?[0-9]+$", "-+0123456789"),
    (
        "tag:yaml.org,2002:float",
        r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
        "-+.0123456789",
    ),
    ("tag:yaml.org,2002:null", r"^(?:~|null|Null|NULL|)$", "~nN\0"),
    (
        "tag:yaml.org,2002:timestamp",
        r"^\d{4}-\d\d-\d\d"
        r"(?:(?:[Tt]|[ \t]+)\d{1,2}:\d\d:\d\d(?:\.\d*)?(?:[ \t]*(?:Z|[-+]\d\d?(?::\d\d)?))?)?$",
        "0123456789",
    ),
    ("tag:yaml.org,2002:merge", r"^<<$", "<"),
]


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - the name and place PyYAML reads


class _Dumper(yaml.SafeDumper):
    yaml_implicit_resolvers = {k: list(v) for k, v in yaml.SafeDumper.yaml_implicit_resolvers.items()}  # noqa: RUF012

    def ignore_aliases(self, data: Any) -> bool:
        return True  # repeated values are written out: `&id001` helps nobody who reads the file


for _tag, _pattern, _first in _WORDS:
    # int before float: "1" matches both, and PyYAML takes the first resolver that matches.
    _Loader.add_implicit_resolver(_tag, re.compile(_pattern), ["" if c == "\0" else c for c in _first])
    _Dumper.add_implicit_resolver(_tag, re.compile(_pattern), ["" if c == "\0" else c for c in _first])


def parse_yaml(text: str) -> Any:
    """The document as plain values. Raises `ValueError` for malformed or multiplying documents."""
    try:
        value = yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as err:
        raise ValueError(str(err)) from err
    _check_size([value])
    return value


def read_yaml(path: Path) -> Any:
    """Parse a file. Raises `BundleCorrupted` naming it when it is not well-formed or too large."""
    if path.stat().st_size > MAX_BYTES:
        raise BundleCorrupted(f"'{path}' is larger than {MAX_BYTES} bytes, which no '{path.name}' needs")
    try:
        return parse_yaml(path.read_text("utf-8"))
    except ValueError as err:
        raise BundleCorrupted(f"'{path}' is not well-formed YAML: {err}") from err


def dump_yaml(value: Any) -> str:
    """Keys in the given order, block style, timestamps in the form 0.13 wrote."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False)


def _represent_datetime(dumper: yaml.SafeDumper, value: datetime) -> yaml.ScalarNode:
    text = value.strftime("%Y-%m-%d %H:%M:%S.%f")
    return dumper.represent_scalar("tag:yaml.org,2002:timestamp", text)


_Dumper.add_representer(datetime, _represent_datetime)


def _construct_int(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    return int(str(loader.construct_scalar(node)))  # `010` is ten in YAML 1.2


_Loader.add_constructor("tag:yaml.org,2002:int", _construct_int)


def _check_size(values: Iterable[Any]) -> None:
    """Count nodes the way a reader who writes them out would meet them, aliases multiplied."""
    pending = list(values)
    seen = 0
    while pending:
        seen += 1
        if seen > MAX_NODES:
            raise ValueError(f"the document expands to more than {MAX_NODES} values")
        value = pending.pop()
        if isinstance(value, dict):
            pending.extend(value.keys())
            pending.extend(value.values())
        elif isinstance(value, (list, tuple, set)):
            pending.extend(value)
