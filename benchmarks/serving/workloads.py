"""What the servers are asked to do. A workload is made when it is asked for: some need Pillow or torch.

A peer reads the same names through the programs under `peers/`, which make the model in the peer's own
environment.
"""

from __future__ import annotations

import functools
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .peer import PEERS_DIR
from .peers import tables

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
MIB = 1 << 20


def _first_number(answer: Any) -> Any:
    while isinstance(answer, list) and answer:
        answer = answer[0]
    return answer


def _whole(answer: Any) -> Any:
    return answer


@dataclass(frozen=True)
class Workload:
    """One kind of request.

    Attributes:
        checks: (body, expected value) pairs. The first body is what the load generator sends, again and
            again; all are sent at the same time before the load, `copies` times each, so that a server
            which mixes up answers is found out.
        value: finds the answer in the parsed JSON; None compares the bytes.
        peers: whom to compare with; empty means the usual ones.
        least_seconds: a shorter load would hold too few requests to say anything.
    """

    name: str
    title: str
    checks: tuple[tuple[bytes, Any], ...]
    content_type: str = "application/json"
    path: str = "/predict"
    connections: tuple[int, ...] = (1, 128, 512)
    value: Callable[[Any], Any] | None = _first_number
    peers: tuple[str, ...] = ()
    copies: int = 12
    least_seconds: int = 0

    @property
    def body(self) -> bytes:
        return self.checks[0][0]

    def answer_in(self, data: bytes) -> Any:
        """What a check expects, read from the bytes of an answer."""
        return data if self.value is None else self.value(json.loads(data))


def _iris(name: str, title: str) -> Workload:
    return Workload(
        name=name,
        title=title,
        checks=tuple((json.dumps(row, separators=(",", ":")).encode(), label) for row, label in CLEAR_ROWS),
    )


def _table(name: str, model: str) -> Workload:
    is_csv = name.endswith("csv")
    checks = []
    for seed in range(1, 9):
        rows, labels = tables.make_table(seed)
        lines = [",".join(tables.NAMES), *(",".join(map(str, row)) for row in rows)]
        body = "\n".join(lines) if is_csv else json.dumps(tables.as_records(rows), separators=(",", ":"))
        checks.append((body.encode(), labels))
    return Workload(
        name=name,
        title=f"{model}, {tables.ROWS} x {tables.COLUMNS} numbers as {'CSV' if is_csv else 'JSON records'}",
        checks=tuple(checks),
        content_type="text/csv" if is_csv else "application/json",
        connections=(64,),
        value=_whole,
        peers=("ours", "ours-2", "bentoml-0.13", "fastapi", "bare"),
    )


def _pictures() -> Workload:
    from .peers import images

    return Workload(
        name="cnn",
        title="small convolutional network, a JPEG of 224 x 224",
        checks=tuple((images.jpeg(images.draw(kind, 1)), kind) for kind in range(images.KINDS)),
        content_type="image/jpeg",
        connections=(64,),
        value=_whole,
        peers=(
            "ours",
            "ours-2",
            "litserve-cnn",
            "litserve-cnn-tuned",
            "litserve-cnn-2",
            "litserve-cnn-2-tuned",
            "bare",
            "bare-2",
        ),
        copies=7,
    )


def _large_bodies() -> Workload:
    bodies = [random.Random(seed).randbytes(MIB) for seed in range(4)]
    return Workload(
        name="bin",
        title="echo of 1 MiB",
        checks=tuple((body, body) for body in bodies),
        content_type="application/octet-stream",
        connections=(32,),
        value=None,
        peers=("ours", "uvicorn"),
        copies=8,
    )


def _text() -> Workload:
    prompts = [[464, 3290, 318, 257], [1212, 318, 281], [5756, 502, 1560, 345, 546, 262]]
    program = str(PEERS_DIR / "gpt.py")
    asked = subprocess.run(
        [sys.executable, program], input=json.dumps(prompts), stdout=subprocess.PIPE, text=True, check=True
    )
    answers = json.loads(asked.stdout)
    return Workload(
        name="gpt",
        title="GPT-2 by its configuration, 50 new tokens, one request a call",
        checks=tuple((json.dumps(prompt).encode(), a) for prompt, a in zip(prompts, answers, strict=True)),
        connections=(8,),
        value=_whole,
        peers=("ours", "ours-2", "bare", "bare-2"),
        copies=2,
        least_seconds=60 if "BENCH_GPT_LAYERS" not in os.environ else 0,
    )


_MAKERS: dict[str, Callable[[], Workload]] = {
    "lr": lambda: _iris("lr", "logistic regression on iris, one JSON row a request"),
    "rf": lambda: _iris("rf", "random forest of 100 trees on iris, one JSON row a request"),
    "df-json": lambda: _table("df-json", "gradient boosting"),
    "df-csv": lambda: _table("df-csv", "gradient boosting"),
    "df-lr-json": lambda: _table("df-lr-json", "logistic regression"),
    "df-lr-csv": lambda: _table("df-lr-csv", "logistic regression"),
    "cnn": _pictures,
    "bin": _large_bodies,
    "gpt": _text,
}
NAMES = tuple(_MAKERS)
DEFAULT = ("lr", "rf")


@functools.cache
def workload(name: str) -> Workload:
    """Make a workload. Raises `SystemExit` when a package that it needs is missing."""
    try:
        return _MAKERS[name]()
    except ImportError as err:
        raise SystemExit(
            f"the workload '{name}' needs the package '{err.name}', which is not installed"
        ) from err
