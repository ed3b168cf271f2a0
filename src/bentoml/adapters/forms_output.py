"""Output adapters that can write an answer in several forms, and those that write files."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from bentoml.types import Reply, error_reply

from .base_output import BaseOutputAdapter
from .negotiation import preferred_of

VARY = ("Vary", "Accept")


class FormsOutput(BaseOutputAdapter):
    """Writes each item in the form its `Accept` header asks for, the first of `forms` by default."""

    NEGOTIATES: ClassVar[bool] = True

    @property
    @abstractmethod
    def forms(self) -> tuple[str, ...]:
        """Media types this adapter can write here; the first one is the default."""

    @abstractmethod
    def encode_form(self, form: str, results: Any, rows: Sequence[int | None]) -> list[Reply]:
        """As `encode`, all items in one form."""

    def encode(self, results: Any, rows: Sequence[int | None]) -> list[Reply]:
        return self.encode_form(self.forms[0], results, rows)

    def encode_for(self, results: Any, rows: Sequence[int | None], accepts: Sequence[str]) -> list[Reply]:
        wanted = preferred_of(accepts, self.forms)
        distinct = set(wanted)
        if len(distinct) == 1:
            return self.encode_form(wanted[0], results, rows)
        replies: list[Reply | None] = [None] * len(rows)
        for form in distinct:
            items = [i for i, name in enumerate(wanted) if name == form]
            some = take(results, rows, items)
            for item, reply in zip(
                items, self.encode_form(form, some, [rows[i] for i in items]), strict=True
            ):
                replies[item] = reply
        return [reply for reply in replies if reply is not None]

    def openapi_content(self) -> dict[str, Any]:
        """Content type → media object of an answer."""
        return {form: {"schema": self.schema_of(form)} for form in self.forms}

    def schema_of(self, form: str) -> dict[str, Any]:
        if form == "application/json":
            return {}
        return {"type": "string", **({} if form.startswith("text/") else {"format": "binary"})}


def take(results: Any, rows: Sequence[int | None], items: Sequence[int]) -> Any:
    """The results that belong to `items`, as the same kind of collection."""
    starts, total = [], 0
    for count in rows:
        starts.append(total)
        total += 1 if count is None else count
    places = [starts[i] + k for i in items for k in range(1 if rows[i] is None else rows[i] or 0)]
    if hasattr(results, "iloc"):
        return results.iloc[places]
    if isinstance(results, (list, tuple)) or not hasattr(results, "shape"):
        return [results[place] for place in places]
    return results[places]


def one_per_item(results: Any, rows: Sequence[int | None], kind: str) -> list[Any]:
    """The one result of each item; an error reply for an item with another number of rows."""
    values = list(results)
    found: list[Any] = []
    start = 0
    for count in rows:
        size = 1 if count is None else count
        if size == 1:
            found.append(values[start])
        else:
            found.append(error_reply(500, f"{kind} writes one file per request; this one has {size} results"))
        start += size
    return found
