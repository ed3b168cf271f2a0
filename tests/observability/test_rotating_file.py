"""The shared log file: rotation by any process, whole lines, and no line lost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bentoml.observability.rotating_file import RotatingFile

WRITER = """
import sys
from pathlib import Path
from bentoml.observability.rotating_file import RotatingFile
log = RotatingFile(Path(sys.argv[1]), 20_000, 50)
for i in range(500):
    log.write(b"%s-%d %s\\n" % (sys.argv[2].encode(), i, b"x" * 60))
"""


def test_rotates_by_size_and_keeps_the_newest_backups(tmp_path: Path) -> None:
    log = RotatingFile(tmp_path / "deep" / "a.log", max_bytes=100, backups=2)
    for i in range(10):
        log.write(b"%02d" % i + b"x" * 47 + b"\n")
    names = sorted(p.name for p in (tmp_path / "deep").iterdir() if not p.name.endswith(".lock"))
    assert names == ["a.log", "a.log.1", "a.log.2"]
    assert (tmp_path / "deep" / "a.log").read_bytes()[:2] == b"08"
    assert (tmp_path / "deep" / "a.log.2").read_bytes()[:2] == b"04"


def test_a_line_longer_than_the_limit_is_written_whole(tmp_path: Path) -> None:
    log = RotatingFile(tmp_path / "a.log", max_bytes=10, backups=1)
    log.write(b"y" * 100 + b"\n")
    log.write(b"z" * 100 + b"\n")
    assert (tmp_path / "a.log").read_bytes() == b"z" * 100 + b"\n"
    assert (tmp_path / "a.log.1").read_bytes() == b"y" * 100 + b"\n"


def test_a_file_moved_or_removed_by_somebody_else_is_opened_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    log = RotatingFile(path, 1000, 1)
    log.write(b"one\n")
    path.rename(tmp_path / "moved")
    log.write(b"two\n")
    path.unlink()
    log.write(b"three\n")
    assert path.read_bytes() == b"three\n"
    assert (tmp_path / "moved").read_bytes() == b"one\n"


def test_processes_share_a_file_and_lose_no_line(tmp_path: Path) -> None:
    path = tmp_path / "shared.log"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), name]) for name in ("a", "b", "c")]
    assert [w.wait(60) for w in writers] == [0, 0, 0]
    lines = [
        line
        for p in tmp_path.iterdir()
        if not p.name.endswith(".lock")
        for line in p.read_bytes().splitlines()
    ]
    expected = {b"%s-%d %s" % (name, i, b"x" * 60) for name in (b"a", b"b", b"c") for i in range(500)}
    assert len(lines) == 1500
    assert set(lines) == expected


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_an_oserror(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space"):
        RotatingFile(Path("/dev/full"), 1000, 1).write(b"x\n")
