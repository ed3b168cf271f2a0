"""One registry shape for every family of interchangeable parts: name → "module:attribute".

Nothing is imported until a name is asked for, and third parties register through entry points of
the group `bentoml.<family>` (see `docs/architecture/00-overview.md`).
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Generic, TypeVar, cast

from .exceptions import MissingDependencyException, NotFound

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a part lives, and what to install when its own package is missing."""

    target: str
    install_hint: str = ""


class Registry(Generic[T]):
    """A sorted table of lazily imported parts.

    Args:
        family: plural noun of the family ("adapters"); also the suffix of the entry point group.
        entries: built-in parts by public name.
    """

    def __init__(self, family: str, entries: Mapping[str, Entry]) -> None:
        self.family = family
        self._entries = dict(entries)
        self._discovered = False

    def __iter__(self) -> Iterator[str]:
        self._discover()
        return iter(sorted(self._entries))

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def entry(self, name: str) -> Entry:
        """The table row of `name`, without importing it. Raises `NotFound`."""
        if name not in self._entries:
            self._discover()
        try:
            return self._entries[name]
        except KeyError:
            close = get_close_matches(name, self._entries, n=1)
            hint = f" Did you mean '{close[0]}'?" if close else ""
            raise NotFound(f"No {self.family} entry named '{name}'.{hint}") from None

    def load(self, name: str) -> T:
        """Import and return the part. Raises `NotFound` or `MissingDependencyException`."""
        entry = self.entry(name)
        module_name, _, attribute = entry.target.partition(":")
        try:
            module = importlib.import_module(module_name)
        except ImportError as err:
            missing = err.name or ""
            if missing.split(".")[0] == "bentoml" or not entry.install_hint:
                raise
            raise MissingDependencyException(
                f"{name} needs the package '{missing}', which is not installed. "
                f"Install it with: {entry.install_hint}"
            ) from err
        return cast(T, getattr(module, attribute))

    def _discover(self) -> None:
        if self._discovered:
            return
        self._discovered = True
        from importlib.metadata import entry_points  # noqa: PLC0415 - costs 20 ms, rarely needed

        found: Any = entry_points(group=f"bentoml.{self.family}")
        for point in found:
            self._entries.setdefault(point.name, Entry(point.value))
