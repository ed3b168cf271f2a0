"""The best of several rounds, and a line for it."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any


def best(work: Callable[[], Any], rounds: int) -> float:
    """Seconds of the fastest round."""
    found = float("inf")
    for _ in range(rounds):
        started = perf_counter()
        work()
        found = min(found, perf_counter() - started)
    return found


def block(title: str, items: int, cases: dict[str, Callable[[], Any]], rounds: int = 40) -> None:
    """Print what each case costs an item; the ratio is to the first."""
    print(f"\n{title} ({items} items a batch)")
    base = 0.0
    for name, work in cases.items():
        per_item = best(work, rounds) / items * 1e6
        base = base or per_item
        print(f"  {name:<44}{per_item:10.3f} µs/item {per_item / base:8.2f}x")
