"""Full disks, locked databases, read-only directories (F21, F25, F29)."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bentoml.exceptions import BentoMLException, FailedPrecondition, LockUnavailable
from bentoml.repository.local import LocalRepository
from bentoml.repository.locks import FileLock
from bentoml.repository.staging import AREA

from .bundles import make_bundle
from .small_disk import run_on_small_disk

Add = Callable[..., Path]

FILL = """
import sys
from pathlib import Path
from bentoml.exceptions import BentoMLException
from bentoml.repository.local import LocalRepository
from tests.repository.bundles import make_bundle

home, sources = Path(sys.argv[1]), Path(sys.argv[2])
repository = LocalRepository(home)
saved, refused = set(), 0
for kib in (0, 1, 4, 16, 64, 256, 700, 900, 1000, 1500, 3000):
    source = make_bundle(sources / str(kib), "Iris", f"1.{kib}", content=b"x" * kib * 1024)
    try:
        repository.add_directory(source)
        saved.add(f"Iris:1.{kib}")
    except BentoMLException as err:
        assert "No space left" in str(err), err
        refused += 1
    listed = {record.tag for record in LocalRepository(home).list()}
    assert listed == saved, (listed, saved)
    assert list((repository.path / ".staging").iterdir()) == []
for tag in sorted(saved, key=lambda tag: int(tag.rpartition(".")[2]), reverse=True):
    repository.delete(*tag.split(":"))
assert LocalRepository(home).list() == []
repository.add_directory(sources / "700")
print("refused", refused, "saved", len(saved))
"""


def test_F21_full_disk_while_saving(tmp_path: Path) -> None:
    sources = tmp_path / "sources"
    out = run_on_small_disk("1500k", tmp_path / "disk", FILL, str(tmp_path / "disk/home"), str(sources))
    words = out.splitlines()[-1].split()
    refused, saved = int(words[words.index("refused") + 1]), int(words[words.index("saved") + 1])
    assert refused >= 3
    assert saved >= 5


READ_ONLY = """
import sys, subprocess
from pathlib import Path
from bentoml.exceptions import BentoMLException
from bentoml.repository.local import LocalRepository
from tests.repository.bundles import make_bundle

home, source = Path(sys.argv[1]), Path(sys.argv[2])
bundle = make_bundle(source, "Iris", "1")
LocalRepository(home).add_directory(bundle)
subprocess.run(["mount", "-o", "remount,ro", str(home.parent)], check=True)
repository = LocalRepository(home)
assert [record.tag for record in repository.list()] == ["Iris:1"]
assert repository.resolve("Iris:latest").is_dir()
bundle = make_bundle(source.with_name("second"), "Iris", "2")
for change in (lambda: repository.add_directory(bundle), lambda: repository.delete("Iris", "1")):
    try:
        change()
    except BentoMLException as err:
        assert "Read-only file system" in str(err), err
    else:
        raise AssertionError("a change of a read-only repository succeeded")
assert [record.tag for record in LocalRepository(home).list()] == ["Iris:1"]
try:
    LocalRepository(home.parent / "other").list()
except BentoMLException as err:
    print(err)
"""


def test_F29_read_only_repository_can_be_read(tmp_path: Path) -> None:
    out = run_on_small_disk(
        "8m", tmp_path / "disk", READ_ONLY, str(tmp_path / "disk/home"), str(tmp_path / "new")
    )
    assert "Read-only file system" in out


def test_F29_home_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("not a directory")
    with pytest.raises(BentoMLException, match=r"Opening the repository .* failed"):
        LocalRepository(tmp_path / "home").list()


def test_F29_repository_removed_while_in_use(repository: LocalRepository, add: Add) -> None:
    add("Iris", "1")
    shutil.rmtree(repository.home)
    assert repository.list() == []
    add("Iris", "1")
    assert repository.get("Iris").version == "1"


def test_F26_index_removed_while_in_use(repository: LocalRepository, add: Add) -> None:
    add("Iris", "1")
    repository.database.unlink()
    with pytest.raises(FailedPrecondition, match="bentoml repair"):
        repository.list()
    with pytest.raises(FailedPrecondition, match="bentoml repair"):
        add("Iris", "2")


def test_F25_waits_for_a_writer_of_three_seconds(repository: LocalRepository, add: Add) -> None:
    add("Iris", "1")
    writer = sqlite3.connect(repository.database, isolation_level=None, check_same_thread=False)
    writer.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(3.0, lambda: writer.execute("COMMIT"))
    timer.start()
    assert [record.tag for record in repository.list()] == ["Iris:1"]  # readers go on
    add("Iris", "2")
    timer.join()
    writer.close()
    assert repository.get("Iris").version == "2"


def test_F25_writer_that_never_ends_is_a_clear_error(repository: LocalRepository, add: Add) -> None:
    add("Iris", "1")
    writer = sqlite3.connect(repository.database, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    started = time.monotonic()
    with pytest.raises(LockUnavailable, match="is busy: another process"):
        add("Iris", "2")
    assert time.monotonic() - started < 15.0
    assert [record.tag for record in repository.list()] == ["Iris:1"]
    writer.execute("ROLLBACK")
    writer.close()
    assert not (repository.path / "Iris/2").exists()
    add("Iris", "2")


def test_bundle_lock_is_free_when_its_holder_dies(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        FileLock(tmp_path / "x.lock").acquire()
        os.write(writer, b"1")
        time.sleep(60)
        os._exit(0)
    os.read(reader, 1)
    waiting = FileLock(tmp_path / "x.lock", timeout_s=0.05)
    with pytest.raises(LockUnavailable, match=r"'x' for more than 0\.05 seconds"):
        waiting.acquire()
    os.kill(child, 9)
    os.waitpid(child, 0)
    with FileLock(tmp_path / "x.lock", timeout_s=5.0):
        assert not waiting.try_acquire()
    assert list(tmp_path.iterdir()) == []


def test_clean_up_that_fails_is_left_to_the_next_start(
    repository: LocalRepository, add: Add, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = add("Iris", "1")
    logging.getLogger("bentoml").propagate = True

    def fail(_path: Path) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(repository._staging, "discard", fail)
    repository.delete("Iris", "1")
    assert "left to the next start" in caplog.text
    assert path.exists()
    fresh = LocalRepository(repository.home)
    assert fresh.list() == []
    assert not path.exists()
    assert list((fresh.path / AREA).iterdir()) == []


def test_source_that_is_no_bundle(repository: LocalRepository, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BentoMLException, match=r"can't locate config file 'bentoml\.yml'"):
        repository.add_directory(tmp_path / "empty")
    unreadable = make_bundle(tmp_path / "bundle", library="0.13.1")
    (unreadable / "pipe").symlink_to("/dev/null")
    with pytest.raises(BentoMLException, match="pipe' is a link or a special file"):
        repository.add_directory(unreadable)
    assert repository.list() == []
