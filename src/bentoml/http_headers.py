"""Header fields of HTTP messages, as 0.13's services read them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from email.message import Message

BATCH_HEADER = "bentoml-is-batch-request"


class HTTPHeaders(Mapping[str, str]):
    """Header fields in the order they were sent; names compare without case.

    A name that was sent twice is kept twice: `headers[name]` is the first value,
    `get_all(name)` has them all, `items()` yields the first value of each name.
    """

    __slots__ = ("_first", "_pairs")

    def __init__(self, pairs: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        items = pairs.items() if isinstance(pairs, Mapping) else pairs
        self._pairs = tuple((str(k), str(v)) for k, v in items)
        self._first: dict[str, str] = {}
        for key, value in self._pairs:
            self._first.setdefault(key.lower(), value)

    @classmethod
    def from_dict(cls, values: Mapping[str, str]) -> HTTPHeaders:
        return cls(values)

    @classmethod
    def from_sequence(cls, pairs: Iterable[tuple[str, str]]) -> HTTPHeaders:
        return cls(pairs)

    def __getitem__(self, name: str) -> str:
        return self._first[name.lower()]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._first

    def __iter__(self) -> Iterator[str]:
        seen: set[str] = set()
        for key, _ in self._pairs:
            if key.lower() not in seen:
                seen.add(key.lower())
                yield key

    def __len__(self) -> int:
        return len(self._first)

    def __repr__(self) -> str:
        return f"HTTPHeaders({self._pairs!r})"

    def get_all(self, name: str) -> list[str]:
        return [v for k, v in self._pairs if k.lower() == name.lower()]

    def to_json(self) -> list[list[str]]:
        """The `[[name, value], …]` form of prediction.log."""
        return [[k, v] for k, v in self._pairs]

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        return self._pairs

    @property
    def content_type(self) -> str:
        """Lower-case media type without parameters; `""` when the header is missing."""
        return self.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def charset(self) -> str | None:
        return content_type_parameter(self.get("content-type", ""), "charset")

    @property
    def content_encoding(self) -> str:
        return self.get("content-encoding", "").strip().lower()

    @property
    def is_batch_input(self) -> bool | None:
        """`Bentoml-Is-Batch-Request`: True for "true", False for any other text, None if absent."""
        value = self.get(BATCH_HEADER, "")
        return value.strip().lower() == "true" if value else None


def content_type_parameter(value: str, name: str) -> str | None:
    """One parameter of a Content-Type value, unquoted; None when it is not there."""
    if ";" not in value:
        return None
    message = Message()
    message["content-type"] = value
    found = message.get_param(name)
    return found if isinstance(found, str) else None
