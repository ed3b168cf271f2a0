"""What is known of a pickle: the names it asks for, what it calls, what it states about itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Global:
    """A class or function by the name under which the pickle asks for it."""

    module: str
    name: str


@dataclass(slots=True)
class Made:
    """An object the pickle would make: what it calls, and the state it sets afterwards."""

    source: Any
    arguments: Any
    state: Any = None


@dataclass(slots=True)
class PickleFacts:
    """What was found in one or several pickles.

    Attributes:
        imported: names the pickle asks for.
        called: those of them that are called while it is loaded.
        embedded: pickles and archives inside it, as bytes, still to be looked at.
        versions: package → version that the pickled objects state themselves.
        problems: why the facts may be incomplete; empty if everything was followed to the end.
    """

    imported: set[Global] = field(default_factory=set)
    called: set[Global] = field(default_factory=set)
    embedded: list[bytes] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def add(self, other: PickleFacts) -> None:
        self.imported |= other.imported
        self.called |= other.called
        self.embedded += other.embedded
        self.versions.update(other.versions)
        self.problems += [one for one in other.problems if one not in self.problems]


class NotAPickle(Exception):
    """An opcode that does not exist, or one that finds the stack empty."""
