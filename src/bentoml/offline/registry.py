"""Every engine, kind of input and kind of output by name, and the file endings that stand for a kind."""

from __future__ import annotations

from typing import Any

from bentoml.exceptions import InvalidArgument
from bentoml.plugins import Entry, Registry

_HINT = "pip install 'bentoml[offline]'"

SOURCES: Registry[Any] = Registry(
    "offline_sources",
    {
        "arrow": Entry("bentoml.offline.sources.arrow:open_arrow", _HINT),
        "csv": Entry("bentoml.offline.sources.csv:open_csv", _HINT),
        "files": Entry("bentoml.offline.sources.files:open_files", _HINT),
        "jsonl": Entry("bentoml.offline.sources.jsonl:open_jsonl", _HINT),
        "parquet": Entry("bentoml.offline.sources.parquet:open_parquet", _HINT),
        "text": Entry("bentoml.offline.sources.jsonl:open_text", _HINT),
        "tsv": Entry("bentoml.offline.sources.csv:open_tsv", _HINT),
    },
)
SINKS: Registry[Any] = Registry(
    "offline_sinks",
    {
        "arrow": Entry("bentoml.offline.sinks.arrow:ArrowSink", _HINT),
        "csv": Entry("bentoml.offline.sinks.text:CsvSink", _HINT),
        "files": Entry("bentoml.offline.sinks.files:FilesSink", _HINT),
        "jsonl": Entry("bentoml.offline.sinks.text:JsonlSink", _HINT),
        "parquet": Entry("bentoml.offline.sinks.parquet:ParquetSink", _HINT),
        "tsv": Entry("bentoml.offline.sinks.text:TsvSink", _HINT),
    },
)
ENGINES: Registry[Any] = Registry(
    "offline_engines",
    {
        "local": Entry("bentoml.offline.engines.local:run_local", _HINT),
        "ray": Entry("bentoml.offline.engines.ray:run_on_ray", "pip install 'bentoml[ray]'"),
        "spark": Entry("bentoml.offline.engines.spark:run_on_spark", "pip install 'bentoml[spark]'"),
    },
)
ENDINGS = {
    ".arrow": "arrow",
    ".csv": "csv",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".tab": "tsv",
    ".tsv": "tsv",
    ".txt": "text",
}
ALIASES = {"feather": "arrow", "json": "jsonl", "ndjson": "jsonl", "txt": "text"}


def known_format(name: str, registry: Registry[Any]) -> str:
    """The registry's own name of a format. Raises `InvalidArgument` listing what there is."""
    found = ALIASES.get(name.lower(), name.lower())
    if found not in list(registry):
        raise InvalidArgument(f"'{name}' is no format here; use one of {', '.join(registry)}")
    return found
