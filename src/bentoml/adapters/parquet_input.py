"""Parquet files in, one `pandas.DataFrame` to the user function."""

from __future__ import annotations

from typing import Any, ClassVar

from bentoml.exceptions import BadInput

from .arrow_body import arrow_form
from .content import TextSource
from .dataframe_input import DataframeInput
from .frames import TypedTable


class ParquetInput(DataframeInput):
    """As `DataframeInput`, for Parquet files and Arrow streams only.

    Arguments are those of `DataframeInput`; `orient` has no meaning here.
    """

    CLI_FORMATS: ClassVar[tuple[str, ...]] = ("parquet", "arrow")

    @property
    def pip_dependencies(self) -> list[str]:
        return ["pandas", "pyarrow"]

    def default_schema(self) -> dict[str, Any]:
        found = super().default_schema()
        return {name: media for name, media in found.items() if name not in ("application/json", "text/csv")}

    def _parse(self, source: TextSource) -> TypedTable:
        if arrow_form(source) is None:
            raise BadInput("expected a Parquet file or an Arrow stream")
        return super()._parse(source)
