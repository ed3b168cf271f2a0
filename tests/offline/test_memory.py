"""Inputs that are larger than the memory of the machine: runs stream them, whatever they are.

The bound holds for the process itself and its children, see `memory_limit`; a program that reads
the whole input breaks at it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import pytest

from .large_inputs import check, join_groups, write
from .memory_limit import limited_to

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits memory as Linux does"),
    pytest.mark.xdist_group("large inputs"),
]
MIB = 1 << 20
INPUT = 768 * MIB
LIMIT = 448 * MIB
SEVERAL_GIB = 4 << 30
READ_ALL = {
    "parquet": "from pyarrow import parquet; parquet.ParquetFile(sys.argv[1]).read(use_threads=False)",
    "csv": "import pandas; pandas.read_csv(sys.argv[1])",
    "jsonl": "import pandas; pandas.read_json(sys.argv[1], lines=True)",
    "arrow": "import pyarrow.ipc; pyarrow.ipc.open_file(open(sys.argv[1], 'rb')).read_all()",
}


def run_limited(
    command: Sequence[str], limit: int, stdin: IO[bytes] | None = None, timeout_s: float = 600
) -> subprocess.CompletedProcess[bytes]:
    with limited_to(limit) as prefix:
        return subprocess.run([*prefix, *command], stdin=stdin, capture_output=True, timeout=timeout_s)


def reads_all(kind: str, source: Path, limit: int) -> bool:
    """Whether the whole input fits into the limit."""
    done = run_limited([sys.executable, "-c", f"import sys; {READ_ALL[kind]}", str(source)], limit)
    return done.returncode == 0


def score(
    bundle: Path, source: Path | str, sink: Path, *flags: str, limit: int, stdin: IO[bytes] | None = None
) -> None:
    command = [sys.executable, "-m", "bentoml", "run", str(bundle), "total"]
    command += ["--input-file", str(source), "--output-file", str(sink), *flags]
    done = run_limited(command, limit, stdin, timeout_s=3000)
    assert done.returncode == 0, done.stderr.decode()[-2000:] or f"killed: {done.returncode}"


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, int]]:
    folder = tmp_path_factory.mktemp("large")
    made = {}
    for kind in ("parquet", "jsonl"):
        path = folder / f"in.{kind}"
        made[kind] = (path, write(kind, path, INPUT))
    join_groups(folder / "in.parquet", folder / "one-group.parquet")
    made["one-group"] = (folder / "one-group.parquet", made["parquet"][1])
    return made


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
def test_the_whole_input_would_not_fit(kind: str, inputs: dict[str, tuple[Path, int]]) -> None:
    assert not reads_all(kind, inputs[kind][0], LIMIT)


@pytest.mark.parametrize(
    ("kind", "flags"),
    [
        ("parquet", ["--keep", "*"]),
        ("parquet", ["--keep", "id", "--workers", "2"]),
        ("one-group", ["--keep", "*"]),
        ("jsonl", ["--keep", "id", "--job", "job"]),
    ],
)
def test_a_file_larger_than_memory(
    kind: str, flags: list[str], bundle: Path, inputs: dict[str, tuple[Path, int]], tmp_path: Path
) -> None:
    source, rows = inputs[kind]
    flags = [str(tmp_path / flag) if flag == "job" else flag for flag in flags]
    score(bundle, source, tmp_path / "out.parquet", *flags, limit=LIMIT)
    check(tmp_path / "out.parquet", rows)


@pytest.mark.parametrize("kind", ["one-group", "jsonl"])
def test_standard_input_larger_than_memory(
    kind: str, bundle: Path, inputs: dict[str, tuple[Path, int]], tmp_path: Path
) -> None:
    source, rows = inputs[kind]
    form = "jsonl" if kind == "jsonl" else "parquet"
    with open(source, "rb") as stdin:
        flags = ["--format", form, "--keep", "id"]
        score(bundle, "-", tmp_path / "out.parquet", *flags, limit=LIMIT, stdin=stdin)
    check(tmp_path / "out.parquet", rows)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl", "arrow"])
def test_several_gib_in_one(kind: str, bundle: Path, tmp_path: Path) -> None:
    source, limit = tmp_path / f"in.{kind}", 1 << 30
    rows = write(kind, source, SEVERAL_GIB)
    assert not reads_all(kind, source, limit)
    for flags in (["--keep", "*"], ["--keep", "id", "--workers", "2", "--job", str(tmp_path / "job")]):
        score(bundle, source, tmp_path / "out.parquet", *flags, limit=limit)
        check(tmp_path / "out.parquet", rows)


@pytest.mark.slow
def test_a_folder_of_large_pictures(bundle: Path, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    (tmp_path / "in").mkdir()
    for number in range(64):  # 36 MB each once decoded
        picture = image.new("RGB", (4000, 3000), (number, 0, 0))
        picture.save(tmp_path / "in" / f"{number:02d}.jpg", quality=50)
    command = [sys.executable, "-m", "bentoml", "run", str(bundle), "shape", "--input-file"]
    done = run_limited(
        [*command, str(tmp_path / "in"), "--output-file", str(tmp_path / "out.jsonl")], limit=1 << 30
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    assert (tmp_path / "out.jsonl").read_text().count("[3000,4000,3]") == 64
