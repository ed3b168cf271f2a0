"""P7: many processes on one repository; nothing lost, nothing doubled, nobody wedged."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bentoml.bundle.manifest import verify_manifest
from bentoml.exceptions import AlreadyExists
from bentoml.repository.local import LocalRepository
from bentoml.repository.staging import AREA

from .bundles import make_bundle

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="forks processes")


@pytest.fixture(autouse=True)
def quiet_log() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def run_together(count: int, work: Callable[[int], int]) -> list[int]:
    """Run `work(i)` in `count` processes that start at the same moment; its results are exit codes."""
    gate, release = os.pipe()
    children = []
    for number in range(count):
        child = os.fork()
        if child == 0:
            code = 99
            try:
                os.close(release)
                os.read(gate, 1)
                code = work(number)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        children.append(child)
    os.close(gate)
    os.close(release)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def check_eight_savers(home: Path, each: int) -> None:
    def save(number: int) -> int:
        repository = LocalRepository(home)
        for turn in range(each):
            source = make_bundle(home.parent / f"source-{number}", "Iris", f"{number}.{turn}")
            repository.add_directory(source)
            shutil.rmtree(source)
        return 0

    assert run_together(8, save) == [0] * 8
    repository = LocalRepository(home)
    records = repository.list()
    expected = {f"Iris:{number}.{turn}" for number in range(8) for turn in range(each)}
    assert {record.tag for record in records} == expected
    assert len(records) == 8 * each
    for record in records:
        verify_manifest(record.uri)
    assert list((repository.path / AREA).iterdir()) == []


def test_P7_eight_processes_save_into_a_new_home(tmp_path: Path) -> None:
    check_eight_savers(tmp_path / "home", 6)


@pytest.mark.slow
def test_P7_eight_processes_save_fifty_each(tmp_path: Path) -> None:
    check_eight_savers(tmp_path / "home", 50)


def test_P7_eight_racing_on_one_version(tmp_path: Path) -> None:
    home = tmp_path / "home"
    sources = [
        make_bundle(tmp_path / str(number), "Iris", "1", content=bytes([number])) for number in range(8)
    ]

    def save(number: int) -> int:
        try:
            LocalRepository(home).add_directory(sources[number])
        except AlreadyExists:
            return 1
        return 0

    codes = run_together(8, save)
    assert sorted(codes) == [0] + [1] * 7
    winner = codes.index(0)
    model = home / "repository/Iris/1/Iris/artifacts/model.pkl"
    assert model.read_bytes() == bytes([winner])


def check_readers_and_writers(home: Path, readers: int, writers: int, seconds: float) -> None:
    template = make_bundle(home.parent / "first", "Iris", "0")
    LocalRepository(home).add_directory(template)
    end = time.monotonic() + seconds

    def work(number: int) -> int:
        repository = LocalRepository(home)
        turn = 0
        while time.monotonic() < end:
            turn += 1
            if number < writers:
                source = make_bundle(home.parent / f"w-{number}", "Iris", f"{number}.{turn}")
                repository.add_directory(source)
                shutil.rmtree(source)
                if turn % 2:
                    repository.delete("Iris", f"{number}.{turn}")
            else:
                assert any(record.version == "0" for record in repository.list("Iris"))
                assert repository.get("Iris", "latest").status == "DONE" or writers
        return 0

    assert run_together(readers + writers, work) == [0] * (readers + writers)


def test_P7_readers_and_writers(tmp_path: Path) -> None:
    check_readers_and_writers(tmp_path / "home", 12, 4, 2.0)


@pytest.mark.slow
def test_P7_sixty_four_readers_and_four_writers(tmp_path: Path) -> None:
    check_readers_and_writers(tmp_path / "home", 64, 4, 60.0)


def test_P7_delete_races_with_save_of_the_same_version(tmp_path: Path) -> None:
    home = tmp_path / "home"
    sources = [make_bundle(tmp_path / str(number), "Iris", "1") for number in range(4)]

    def work(number: int) -> int:
        repository = LocalRepository(home)
        for _ in range(10):
            try:
                if number < 2:
                    repository.add_directory(sources[number])
                else:
                    repository.delete("Iris", "1")
            except Exception as err:
                if type(err).__name__ not in ("AlreadyExists", "NotFound"):
                    raise
        return 0

    assert run_together(4, work) == [0] * 4
    repository = LocalRepository(home)
    listed = [record.tag for record in repository.list()]
    assert len(listed) <= 1
    assert [path.name for path in repository.iter_directories()] == ["1"] * len(listed)
    assert list((repository.path / AREA).iterdir()) == []
