"""Copies have the same bytes whichever way the file system lets them be made."""

from __future__ import annotations

import errno
import os
import random
from pathlib import Path

import pytest

from bentoml import file_copy

SIZES = [0, 1, 4096, (1 << 20) + 7, 3 << 20]


@pytest.fixture(params=SIZES)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(random.Random(1).randbytes(request.param))
    return path


def no_clone(*_: object) -> bool:
    return False


@pytest.mark.parametrize("way", ["best", "kernel", "read and write"])
def test_same_bytes(way: str, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if way != "best":
        monkeypatch.setattr(file_copy, "clone", no_clone)
    if way == "read and write":
        monkeypatch.delattr(os, "copy_file_range", raising=False)
    monkeypatch.setattr(file_copy, "_PIECE_BYTES", 1 << 20)
    (tmp_path / "target").write_bytes(b"an older and longer content" * 200_000)
    assert file_copy.copy_file(source, tmp_path / "target") == str(tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == source.read_bytes()


def test_two_file_systems_that_cannot_do_it_in_the_kernel(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(file_copy, "clone", no_clone)
    monkeypatch.setattr(os, "copy_file_range", refuse, raising=False)
    file_copy.copy_file(source, tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == source.read_bytes()


def test_a_disk_that_fills_up_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def fill(*_: object) -> int:
        calls.append(1)
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return 1

    (tmp_path / "source").write_bytes(b"abc")
    monkeypatch.setattr(file_copy, "clone", no_clone)
    monkeypatch.setattr(os, "copy_file_range", fill, raising=False)
    with pytest.raises(OSError, match="No space left"):
        file_copy.copy_file(tmp_path / "source", tmp_path / "target")


def test_trees(tmp_path: Path) -> None:
    (tmp_path / "tree" / "deep").mkdir(parents=True)
    (tmp_path / "tree" / "deep" / "x").write_bytes(b"x")
    (tmp_path / "target").mkdir()
    file_copy.copy_tree(tmp_path / "tree", tmp_path / "target")
    assert (tmp_path / "target" / "deep" / "x").read_bytes() == b"x"
