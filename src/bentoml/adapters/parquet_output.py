"""Data frames and series to Parquet, unless the client asks for another form."""

from __future__ import annotations

from typing import Any

from bentoml.exceptions import InvalidArgument

from .dataframe_output import DataframeOutput
from .negotiation import PARQUET
from .table_writer import BINARY_FORMS

CODECS = ("none", "snappy", "gzip", "brotli", "lz4", "zstd")


class ParquetOutput(DataframeOutput):
    """The rows of each item as a Parquet file; by `Accept` also as an Arrow stream, JSON or CSV.

    Args:
        compression: one of `none`, `snappy`, `gzip`, `brotli`, `lz4`, `zstd`.
        output_orient: of the JSON form, as of `DataframeOutput`.
    """

    def __init__(
        self,
        compression: str = "snappy",
        output_orient: str = "records",
        cors: Any = None,
        **base_config: Any,
    ) -> None:
        super().__init__(output_orient, cors=cors, **base_config)
        if compression not in CODECS:
            raise InvalidArgument(f"compression must be one of {', '.join(CODECS)}, not {compression!r}")
        self.compression = compression

    @property
    def config(self) -> dict[str, Any]:
        return {**super().config, "compression": self.compression}

    @property
    def pip_dependencies(self) -> list[str]:
        return ["pandas", "pyarrow"]

    @property
    def forms(self) -> tuple[str, ...]:
        others = (form for form in (*BINARY_FORMS, *super().forms) if form != PARQUET)
        return (PARQUET, *dict.fromkeys(others))
