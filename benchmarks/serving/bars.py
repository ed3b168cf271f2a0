"""The bars that this project set itself, and whether a run met them.

A ratio is ours divided by another server's, taken round by round; the median decides. A cell in which
anything went wrong says nothing about speed: a refusal is quick, and a server that answers a few of its
clients has short queues. So rounds with such a cell are left out, which the table says, and a bar for
which ours has no other cell is missed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from .report import OURS

Cells = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Verdict:
    """One bar. `value` None: not measured in this run.

    Attributes:
        faulty: rounds that were left out because answers failed, ours or the other server's.
    """

    work: str
    what: str
    bar: str
    value: float | None
    met: bool | None
    stretch: str = ""
    faulty: int = 0

    @property
    def shown(self) -> str:
        if self.value is None:
            return f"nothing without faults in {_rounds(self.faulty)}" if self.faulty else "not measured"
        figure = f"{self.value:.0f}" if self.value >= 100 else f"{self.value:.3g}"
        return f"{figure} ({_rounds(self.faulty)} with faults left out)" if self.faulty else figure


def _rounds(count: int) -> str:
    return f"{count} round{'s' if count != 1 else ''}"


@dataclass(frozen=True)
class Bar:
    """Ours against `peer` in one cell.

    Attributes:
        least: of ours divided by the peer's; where `field` is a latency, the most that may be.
    """

    workload: str
    connections: int
    peer: str
    least: float
    field: str = "rate"
    stretch: float | None = None
    ours: str = OURS

    def judge(self, cells: Cells) -> Verdict:
        mine, theirs = _by_round(cells, self, self.ours), _by_round(cells, self, self.peer)
        rounds = mine.keys() & theirs.keys()
        faulty = {number for number in rounds if _is_faulty(mine[number]) or _is_faulty(theirs[number])}
        pairs = [(mine[n][self.field], theirs[n][self.field]) for n in sorted(rounds - faulty)]
        found = [a / b for a, b in pairs if b]
        value = median(found) if found else None
        is_latency = self.field != "rate"
        met = None if value is None else (value <= self.least if is_latency else value >= self.least)
        if value is None and rounds and all(_is_faulty(mine[number]) for number in rounds):
            met = False
        sign = "≤" if is_latency else "≥"
        return Verdict(
            f"{self.workload}, c={self.connections}",
            f"{'p50' if is_latency else 'requests/s'}{_of(self.ours)} beside {self.peer}",
            f"{sign} {self.least:g}x",
            value,
            met,
            "" if self.stretch is None else f"{sign} {self.stretch:g}x",
            len(faulty),
        )


def _of(ours: str) -> str:
    return "" if ours == OURS else f" of {ours}"


def _by_round(cells: Cells, bar: Bar, peer: str) -> dict[int, dict[str, Any]]:
    where = (bar.workload, bar.connections, peer)
    return {c["round"]: c for c in cells if (c["workload"], c["connections"], c["peer"]) == where}


def _is_faulty(cell: dict[str, Any]) -> bool:
    return bool(cell["faults"] + cell["faults_while_reading_answers"])


def _tail(cells: Cells) -> Verdict:
    mine = [c for c in cells if (c["workload"], c["connections"], c["peer"]) == ("rf", 128, OURS)]
    good = [c for c in mine if not _is_faulty(c)]
    value = median(c["p99_us"] / c["p50_us"] for c in good) if good else None
    met = value <= 2 if value is not None else False if mine else None
    return Verdict("rf, c=128", "p99 beside p50", "≤ 2x", value, met, faulty=len(mine) - len(good))


BARS: tuple[Bar, ...] = (
    Bar("rf", 512, "flask", 300),
    Bar("rf", 512, "gunicorn", 60),
    Bar("rf", 512, "bentoml-0.13", 10),
    Bar("rf", 512, "mosec", 1.6, stretch=2.5),
    Bar("rf", 128, "mosec", 2, stretch=3),
    Bar("rf", 128, "mosec-tuned", 1.5),
    Bar("lr", 128, "flask", 60, stretch=100),
    Bar("lr", 128, "gunicorn", 14),
    Bar("lr", 128, "bentoml-0.13", 22),
    Bar("lr", 128, "mosec", 5),
    Bar("lr", 128, "mosec-tuned", 3),
    Bar("lr", 128, "nginx", 0.4),
    Bar("lr", 512, "flask", 50, stretch=100),
    Bar("lr", 512, "mosec", 2),
    Bar("lr", 1, "gunicorn", 0.8, "p50_us", stretch=0.6),
    Bar("rf", 1, "gunicorn", 1.0, "p50_us", stretch=0.6),
    Bar("df-json", 64, "bentoml-0.13", 5, ours="ours-2"),
    Bar("df-json", 64, "fastapi", 3, ours="ours-2"),
    Bar("df-csv", 64, "bentoml-0.13", 5, ours="ours-2"),
    Bar("df-csv", 64, "fastapi", 3, ours="ours-2"),
    Bar("df-lr-json", 64, "bentoml-0.13", 5, ours="ours-2"),
    Bar("df-lr-json", 64, "fastapi", 3, ours="ours-2"),
    Bar("df-lr-csv", 64, "bentoml-0.13", 5, ours="ours-2"),
    Bar("df-lr-csv", 64, "fastapi", 3, ours="ours-2"),
    Bar("cnn", 64, "bare", 0.85),
    Bar("cnn", 64, "bare-2", 0.85, ours="ours-2"),
    Bar("cnn", 64, "litserve-cnn", 1.5),
    Bar("cnn", 64, "litserve-cnn-tuned", 1.5),
    Bar("cnn", 64, "litserve-cnn-2", 1.5, ours="ours-2"),
    Bar("cnn", 64, "litserve-cnn-2-tuned", 1.5, ours="ours-2"),
    Bar("bin", 32, "uvicorn", 0.5),
    Bar("gpt", 8, "bare", 1.0),
    Bar("gpt", 8, "bare", 1.0, "p50_us"),
)


def judge(cells: Cells) -> list[Verdict]:
    """Every bar that this run says something about."""
    checks: list[Callable[[Cells], Verdict]] = [bar.judge for bar in BARS]
    checks.append(_tail)
    verdicts = [check(cells) for check in checks]
    return [verdict for verdict in verdicts if verdict.value is not None or verdict.faulty]


def judge_footprint(record: dict[str, Any]) -> list[Verdict]:
    """The bars that `footprint` measures."""
    found = []
    for cost in record.get("requests", ()):
        work = f"lr, c={cost['connections']}"
        front, beyond = cost["front_us"], cost["worker_beyond_model_us"]
        found.append(Verdict(work, "front CPU µs/request", "≤ 18", front, front <= 18, "≤ 10"))
        what = f"worker CPU µs/request beyond the model, batches of {cost['batch']:.0f}"
        found.append(Verdict(work, what, "≤ 8 from 100 on", beyond, beyond <= 8))
    memory = record.get("connections")
    if memory:
        rss = memory["front_rss_before_load_mib"]
        more = memory["front_kib_per_connection"] - memory["uvicorn_kib_per_connection"]
        found.append(Verdict("memory", "front RSS before load, MiB", "≤ 80", rss, rss <= 80))
        found.append(
            Verdict("memory", "KiB per idle connection beyond uvicorn's", "≤ 4", round(more, 1), more <= 4)
        )
    for model in record.get("workers", ()):
        for count, ratio in model["beside_one"].items():
            if count != "1":
                what = f"PSS of {count} workers beside one's, {model['model']} of {model['model_mib']} MiB"
                found.append(Verdict("memory", what, "≤ 1.3x", ratio, ratio <= 1.3))
    return found


def as_markdown(verdicts: Sequence[Verdict]) -> str:
    lines = ["| work | measure | bar | measured | met | stretch |", "|---|---|---:|---:|---|---|"]
    for v in verdicts:
        met = "–" if v.met is None else "yes" if v.met else "**no**"
        lines.append(f"| {v.work} | {v.what} | {v.bar} | {v.shown} | {met} | {v.stretch} |")
    return "\n".join(lines)
