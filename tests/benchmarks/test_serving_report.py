"""The arithmetic of the benchmark's report: medians, ratios round by round, nothing hidden."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks.serving import bars, chart, combine, report
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


def test_bars_are_judged_round_by_round() -> None:
    verdicts = {
        (v.work, v.what): v for v in bars.judge([*CELLS, cell("nginx", 1, 200.0), cell("nginx", 2, 1000.0)])
    }
    flask = verdicts["lr, c=128", "requests/s beside flask"]
    assert (flask.value, flask.met, flask.stretch) == (6.0, False, "≥ 100x")
    assert verdicts["lr, c=128", "requests/s beside nginx"].met is True  # 0.5 and 0.3 of it
    assert ("rf, c=128", "p99 beside p50") not in verdicts, "what was not measured is not judged"
    shown = "6 (1 round with faults left out)"
    assert f"| ≥ 60x | {shown} | **no** | ≥ 100x |" in bars.as_markdown([flask])
    assert "left out" not in bars.as_markdown([verdicts["lr, c=128", "requests/s beside nginx"]])


def gpt(peer: str, faults: int, **changes: Any) -> dict[str, Any]:
    return cell(peer, 1, **{"rate": 0.5, **changes}, workload="gpt", connections=8, faults=faults)


def test_quick_refusals_meet_no_bar() -> None:
    """617 refusals within a millisecond each are no p50 of half a millisecond."""
    verdicts = bars.judge([gpt("ours", 617, rate=0.0, p50_us=554), gpt("bare", 0, p50_us=15_658_507)])
    assert [(v.value, v.met) for v in verdicts] == [(None, False)] * 2
    assert bars.as_markdown(verdicts).count("| nothing without faults in 1 round | **no** |") == 2
    [tail] = bars.judge([cell("ours", 1, 1.0, workload="rf", faults_while_reading_answers=1)])
    assert (tail.value, tail.met, tail.faulty) == (None, False, 1)


def test_faults_of_another_server_judge_nobody() -> None:
    verdicts = bars.judge([gpt("ours", 0), gpt("bare", 1)])
    assert [(v.value, v.met, v.faulty) for v in verdicts] == [(None, None, 1)] * 2
    assert "| nothing without faults in 1 round | – |" in bars.as_markdown(verdicts)


def test_latency_bar_is_a_most() -> None:
    cells = [cell("ours", 1, 1.0, connections=1), cell("gunicorn", 1, 1.0, connections=1, p50_us=2000)]
    [verdict] = [v for v in bars.judge(cells) if "p50" in v.what]
    assert (verdict.value, verdict.met, verdict.bar) == (0.5, True, "≤ 0.8x")


def test_every_bar_names_a_workload_and_a_peer_that_does_it() -> None:
    for bar in bars.BARS:
        assert bar.workload in PEERS[bar.peer].workloads
        assert bar.connections in workload(bar.workload).connections if bar.workload != "gpt" else True


def test_footprint_bars() -> None:
    record = {
        "requests": [{"connections": 128, "front_us": 17.0, "worker_beyond_model_us": 9.0, "batch": 60}],
        "workers": [{"model": "numpy", "model_mib": 500, "beside_one": {"1": 1.0, "2": 1.2}}],
    }
    assert [v.met for v in bars.judge_footprint(record)] == [True, False, True]


def record_of(cells: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    machine = {"cpu": "x", "cores": 2}
    return {
        "date": "2026-11-25T00:00:00",
        "machine": machine,
        "rounds": 3,
        "seconds": 3,
        "warm_s": 1,
        "peers": {"ours": {"title": "ours", "version": ""}},
        "workloads": {"lr": "LR"},
        "cells": cells,
        **changes,
    }


def test_parts_do_not_share_rounds(tmp_path: Path) -> None:
    whole = combine.combined([record_of(CELLS), record_of([cell("flask", 1, 1.0)])])
    assert [c["round"] for c in whole["cells"]] == [1, 2, 3, 1, 2, 3, 4]
    flask = report.rows(whole["cells"])[0]
    assert flask.ratio == 4.0, "a cell of another part has no counterpart"
    with pytest.raises(ValueError, match="different machines"):
        combine.combined([record_of([]), record_of([], machine={"cpu": "y"})])
    for name in ("a", "b"):
        (tmp_path / f"{name}.json").write_text(json.dumps(record_of(CELLS)))
    combine.main([str(tmp_path / "all.json"), str(tmp_path / "a.json"), str(tmp_path / "b.json")])
    assert {p.name for p in tmp_path.glob("all*")} == {
        "all.json",
        "all.md",
        "all.svg",
        "all-bars.md",
        "all-headlines.svg",
    }
