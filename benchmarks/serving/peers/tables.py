"""The tables of the DataFrame workloads: three kinds of rows far apart, so that every release agrees on them.

Runs in every peer's environment, the oldest of which is Python 3.8.
"""

from __future__ import annotations

import random
from typing import Any

ROWS, COLUMNS = 64, 20
NAMES = [f"feature_{i}" for i in range(COLUMNS)]
KINDS = 3


def make_table(seed: int, rows: int = ROWS) -> tuple[list[list[float]], list[int]]:
    """(`rows` rows of numbers, their labels); the label shifts every number of its row."""
    source = random.Random(seed)
    labels = [source.randrange(KINDS) for _ in range(rows)]
    return [[round(source.gauss(4 * label, 0.5), 4) for _ in NAMES] for label in labels], labels


def as_records(rows: list[list[float]]) -> list[dict[str, float]]:
    return [dict(zip(NAMES, row)) for row in rows]  # noqa: B905 - Python 3.8 has no strict=


def train_on_tables(workload: str) -> Any:
    """A classifier that knows the column names: `df-lr…` a linear one, else gradient boosting."""
    import pandas

    rows, labels = make_table(0, 900)
    frame = pandas.DataFrame(rows, columns=NAMES)
    if workload.startswith("df-lr"):
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression(max_iter=500).fit(frame, labels)
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(max_iter=50, random_state=0).fit(frame, labels)
