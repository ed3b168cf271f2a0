"""Corpora of the fuzz tests: kept inputs, and which new ones are worth keeping."""

from __future__ import annotations

import ast
import os
import random
from collections.abc import Hashable, Sequence
from pathlib import Path

FOLDER = Path(__file__).with_name("corpus")
MOST_BYTES = 800
MOST_ADDED = 60  # by one run to one file


class Corpus:
    """Inputs of one target; grows by those that make it behave as it never did before.

    Args:
        seeds: valid inputs, which are there without a file too.
    """

    def __init__(self, name: str, seeds: Sequence[bytes]) -> None:
        self._file = FOLDER / f"{name}.txt"
        self._valid = frozenset(seeds)
        self._kept = read(self._file)
        self._seeds = list(dict.fromkeys([*seeds, *self._kept]))
        self._population = list(self._seeds)
        self._behaviours: set[Hashable] = set()

    @property
    def known(self) -> Sequence[bytes]:
        """What was kept before this run, valid inputs first."""
        return self._seeds

    def choose(self, dice: random.Random) -> bytes:
        return dice.choice(self._population)

    def note(self, data: bytes, behaviour: Hashable) -> None:
        """What the target did with an input. An input with a new behaviour is mutated further."""
        if behaviour in self._behaviours:
            return
        self._behaviours.add(behaviour)
        if data not in self._population and len(data) <= MOST_BYTES:
            self._population.append(data)

    def save(self) -> None:
        """Keep what was found, if `BENTOML_FUZZ_KEEP` says so."""
        if os.environ.get("BENTOML_FUZZ_KEEP"):
            found = self._population[len(self._seeds) :][:MOST_ADDED]
            lines = [repr(data) for data in [*self._kept, *found] if data not in self._valid]
            self._file.write_text("".join(f"{line}\n" for line in lines))


def read(file: Path) -> list[bytes]:
    if not file.exists():
        return []
    return [ast.literal_eval(line) for line in file.read_text().splitlines() if line]
