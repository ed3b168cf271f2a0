"""A data frame to CSV, Parquet or an Arrow stream, for answers in these forms."""

from __future__ import annotations

import importlib
import io
from functools import cache
from importlib.util import find_spec
from typing import Any

from bentoml.exceptions import MissingDependencyException

from .negotiation import ARROW_STREAM, PARQUET

CSV = "text/csv"
BINARY_FORMS = (PARQUET, ARROW_STREAM)


@cache
def has_arrow() -> bool:
    return find_spec("pyarrow") is not None


def write_table(form: str, frame: Any, compression: str | None) -> bytes:
    """The rows of `frame` without its index.

    Raises:
        MissingDependencyException: pyarrow is not installed.
        ValueError, TypeError: a column has values the form has no type for.
    """
    if form == CSV:
        text: str = frame.to_csv(index=False, lineterminator="\r\n")
        return text.encode("utf-8", "replace")
    try:
        arrow = importlib.import_module("pyarrow")
    except ImportError as err:
        raise MissingDependencyException(
            "Parquet and Arrow need the package 'pyarrow'. Install it with: pip install 'bentoml[arrow]'"
        ) from err
    table = arrow.Table.from_pandas(_named(frame), preserve_index=False).replace_schema_metadata(None)
    out = io.BytesIO()
    if form == PARQUET:
        importlib.import_module("pyarrow.parquet").write_table(table, out, compression=compression or "none")
    else:
        with arrow.ipc.new_stream(out, table.schema) as writer:
            writer.write_table(table)
    return out.getvalue()


def _named(frame: Any) -> Any:
    """A frame whose columns have text names, as these forms need; 0, 1, … become `"0"`, `"1"`, …"""
    return frame if all(isinstance(name, str) for name in frame.columns) else frame.rename(columns=str)
