"""What the servers are asked to do: one row per kind of work, so that a new one is a new entry.

A peer reads the same kinds through `peers/models.py`, which trains the model in the peer's own environment.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

IRIS_ROW = [5.1, 3.5, 1.4, 0.2]
# Rows far from any border between the classes, so that every release of scikit-learn agrees on them.
CLEAR_ROWS: tuple[tuple[list[float], int], ...] = (
    ([5.1, 3.5, 1.4, 0.2], 0),
    ([4.9, 3.0, 1.4, 0.2], 0),
    ([5.0, 3.4, 1.5, 0.2], 0),
    ([5.5, 2.4, 3.8, 1.1], 1),
    ([5.7, 2.8, 4.1, 1.3], 1),
    ([5.6, 2.9, 3.6, 1.3], 1),
    ([6.7, 3.3, 5.7, 2.5], 2),
    ([7.7, 2.6, 6.9, 2.3], 2),
    ([6.3, 3.3, 6.0, 2.5], 2),
)


@dataclass(frozen=True)
class Workload:
    """One kind of request.

    Attributes:
        body: what the load generator sends, again and again.
        checks: (body, expected value) pairs sent at the same time before the load, so that a server
            which mixes up answers is found out.
    """

    name: str
    title: str
    body: bytes
    expected: Any
    checks: tuple[tuple[bytes, Any], ...]
    content_type: str = "application/json"
    path: str = "/predict"
    connections: tuple[int, ...] = (1, 128, 512)
    requirements: tuple[str, ...] = field(default=("scikit-learn", "numpy"))


def _iris(name: str, title: str) -> Workload:
    return Workload(
        name=name,
        title=title,
        body=json.dumps(IRIS_ROW, separators=(",", ":")).encode(),
        expected=0,
        checks=tuple((json.dumps(row).encode(), label) for row, label in CLEAR_ROWS),
    )


WORKLOADS: dict[str, Workload] = {
    work.name: work
    for work in (
        _iris("lr", "logistic regression on iris, one JSON row a request"),
        _iris("rf", "random forest of 100 trees on iris, one JSON row a request"),
    )
}
