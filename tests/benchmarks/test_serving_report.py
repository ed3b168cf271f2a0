"""The arithmetic of the benchmark's report: medians, ratios round by round, nothing hidden."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks.serving import chart, report
from benchmarks.serving.registry import DEFAULT_PEERS, PEERS, PEERS_DIR, Start, peers_for
from benchmarks.serving.workloads import NAMES, workload


def cell(peer: str, number: int, rate: float, **changes: Any) -> dict[str, Any]:
    return {
        "round": number,
        "workload": "lr",
        "connections": 128,
        "peer": peer,
        "rate": rate,
        "p50_us": 1000,
        "p99_us": 2000,
        "cpu_us_per_request": 10.0,
        "faults": 0,
        "faults_while_reading_answers": 0,
        "quiet": True,
        **changes,
    }


CELLS = [
    cell("ours", 1, 100.0),
    cell("ours", 2, 300.0),
    cell("ours", 3, 200.0),
    cell("flask", 1, 50.0),
    cell("flask", 2, 30.0),
    cell("flask", 3, 50.0, quiet=False, faults=2, faults_while_reading_answers=1),
]


def test_ratio_is_taken_round_by_round() -> None:
    flask, ours = report.rows(CELLS)
    assert (flask.peer, ours.peer) == ("flask", "ours")
    assert (ours.rate, flask.rate) == (200.0, 50.0)
    assert (flask.ratio, flask.ratio_low, flask.ratio_high) == (4.0, 2.0, 10.0)


def test_faults_and_noise_are_shown() -> None:
    flask, _ = report.rows(CELLS)
    assert (flask.faults, flask.noisy) == (3, 1)
    table = report.as_markdown([flask], {"flask": "Flask"})
    assert "50 (noisy)" in table
    assert "4.0x (2.0–10.0)" in table
    assert table.endswith("| 3 |")


def test_round_without_ours_gives_no_ratio() -> None:
    [row] = report.rows([cell("flask", 1, 50.0)])
    assert row.ratio is None
    assert "| – |" in report.as_markdown([row], {})


def test_chart_is_an_svg_with_one_bar_per_server() -> None:
    root = ElementTree.fromstring(chart.draw(report.rows(CELLS), {"flask": "Flask <dev>"}, "a machine"))
    bars = [e for e in root.iter() if e.tag.endswith("rect")]
    assert [bar.get("class") for bar in bars] == ["peer", "ours"]
    widths = [float(bar.get("width") or 0) for bar in bars]
    assert widths[0] < widths[1]


def test_default_peers_exist_and_ours_is_one() -> None:
    assert set(DEFAULT_PEERS) <= set(PEERS)
    assert report.OURS in DEFAULT_PEERS


@pytest.mark.parametrize("name", [name for name in NAMES if name != "gpt"])
def test_bodies_of_a_workload_are_what_they_say(name: str) -> None:
    work = workload(name)
    answers = [json.dumps(expected) if work.value else expected for _, expected in work.checks]
    assert len(set(answers)) > 1, "one answer for all would hide a mix-up"
    assert len({body for body, _ in work.checks}) == len(work.checks)
    for peer in peers_for(work, None):
        assert peer.body(work.body), peer.name


@pytest.mark.parametrize("name", NAMES)
def test_every_workload_is_judged_by_ours(name: str) -> None:
    assert name in PEERS[report.OURS].workloads


def test_programs_of_the_peers_exist() -> None:
    start = Start(Path("python"), "lr", 8000, Path("/nowhere"), 128)
    for peer in PEERS.values():
        for name in peer.workloads:
            for word in peer.command(replace(start, workload=name)):
                if word.endswith(".py"):
                    assert Path(word).exists(), peer.name
                module, found, factory = word.partition(":")
                if found and module in {"flask_app", "bentoml_1_app"}:
                    defined = re.split(r"[(]", factory)[0]
                    assert re.search(
                        rf"^(def|class) {defined}\b", (PEERS_DIR / f"{module}.py").read_text(), re.M
                    )
