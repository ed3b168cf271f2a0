"""The small parts: cutting lines, choosing batch sizes, texts of values, progress."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bentoml.exceptions import MissingDependencyException
from bentoml.offline import extra
from bentoml.offline.cells import csv_cells, json_cells
from bentoml.offline.planner import BatchPlanner, planner_for
from bentoml.offline.results import columns_of
from bentoml.offline.sources.blocks import LineBlocks


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(st.text('ab"\n,', max_size=6), max_size=20), st.integers(1, 40), st.integers(0, 40))
def test_blocks_are_the_stream_and_are_found_again(fields: list[str], size: int, which: int) -> None:
    import csv

    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([[field] for field in fields])
    data = text.getvalue().encode()
    blocks, found, offsets = LineBlocks(io.BytesIO(data), size, quoted=True), [], [0]
    while block := blocks.next():
        found.append(block)
        offsets.append(blocks.offset)
    assert b"".join(found) == data
    records = [row for block in found for row in csv.reader(io.StringIO(block.decode(), newline=""))]
    assert records == list(csv.reader(io.StringIO(data.decode(), newline="")))
    if found:
        number = which % len(found)
        again = LineBlocks(io.BytesIO(data), size, quoted=True)
        again.skip_to(offsets[number])
        assert again.next() == found[number]


def test_batches_grow_while_that_is_faster_and_stay_short() -> None:
    def settled(cost_s: float, per_row_s: float) -> int:
        planner = BatchPlanner()
        for _ in range(60):
            planner.note(planner.rows, cost_s + per_row_s * planner.rows)
        return planner.rows

    assert settled(0.01, 1e-6) >= 1 << 17
    assert settled(0.0, 0.1) <= 8
    assert BatchPlanner(500).rows == 500
    assert planner_for("files", None, 1).rows == 1  # one may be large


def test_a_larger_size_that_was_slow_once_is_tried_again() -> None:
    planner = BatchPlanner()
    rows = 0
    for number in range(200):
        busy = 10.0 if planner.rows == 128 and number < 5 else 1.0
        planner.note(planner.rows, busy * (1e-3 + 1e-6 * planner.rows))
        rows = max(rows, planner.rows) if number > 150 else 0
    assert rows >= 1 << 16


def test_a_larger_size_that_stays_slow_is_seldom_tried() -> None:
    planner = BatchPlanner()
    sizes = []
    for _ in range(1000):
        sizes.append(planner.rows)
        planner.note(planner.rows, 1e-4 * planner.rows ** (2 if planner.rows > 64 else 1))
    assert sum(size > 64 for size in sizes) < 50


def test_batches_shrink_when_memory_grows() -> None:
    planner = BatchPlanner(memory_bytes=1 << 20)
    planner.note(planner.rows, 1e-4, 100 << 20)
    grown = planner.rows
    planner.note(grown, 1e-4, 200 << 20)
    assert planner.rows < grown
    for _ in range(10):
        planner.note(planner.rows, 1e-4, 200 << 20)
    assert planner.rows < grown


def test_the_text_of_a_value_depends_on_it_alone() -> None:
    for values in (
        [1, 2.5, None],
        [1.0, 2.5],
        [True, 1],
        ["a", "null"],
        [[1, "x"], {"a": None}],
        [float("nan")],
    ):
        whole, _ = columns_of(values, len(values), "predict")
        cells = json_cells(whole.column(0), whole.schema.field(0))
        alone = [columns_of([value], 1, "predict")[0] for value in values]
        assert cells == [json_cells(one.column(0), one.schema.field(0))[0] for one in alone]


def test_csv_tells_null_from_an_empty_text() -> None:
    field = pa.field("x", pa.string())
    assert csv_cells(pa.array([None, "", "a,b", ' "', "null"]), field, b",") == [
        b"", b'""', b'"a,b"', b'" """', b"null",
    ]  # fmt: skip


def test_the_extra_is_named_when_packages_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extra, "PACKAGES", ("pyarrow", "no_such_package"))
    with pytest.raises(MissingDependencyException, match=r"no_such_package.*bentoml\[offline\]"):
        extra.require_packages()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems do not tell them apart")
def test_pages_of_a_mapped_file_are_no_growth(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(bytes(64 << 20))
    program = (
        "import mmap, sys\n"
        "from bentoml.offline.runner import peak_bytes\n"
        "before = peak_bytes()\n"
        "file = open(sys.argv[1], 'rb')\n"
        "mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)\n"
        "assert sum(mapped[::4096]) == 0\n"
        "middle = peak_bytes()\n"
        "taken = bytearray(b'x') * (64 << 20)\n"
        "print(middle - before, peak_bytes() - middle)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    mapped, taken = map(int, done.stdout.split())
    assert mapped < 16 << 20
    assert taken > 48 << 20
