"""P6: whatever kills an operation, the repository is in the state before or after it (F22, F23, F24)."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from bentoml.bundle.manifest import verify_manifest
from bentoml.exceptions import AlreadyExists, BentoMLException, NotFound
from bentoml.repository.local import LocalRepository
from bentoml.repository.repair import repair
from bentoml.repository.staging import AREA

from .bundles import make_bundle
from .injection import Outcome, Result, needs_strace, run_injected

CHANGES = "rename,renameat,renameat2,mkdir,mkdirat,unlink,unlinkat,rmdir,fsync,fdatasync,pwrite64,ftruncate"
OTHERS = "openat,write,close,flock,fcntl,chmod,newfstatat"
OLD_DATABASE = Path(__file__).parent / "fixtures" / "storage_013.db"


@dataclass(frozen=True)
class Case:
    """One operation: what it starts from, what it does, and the listing afterwards."""

    prepare: Callable[[Path, Path], None]
    action: Callable[[LocalRepository, Path], object]
    before: frozenset[str]
    after: frozenset[str]


def prepare_two(home: Path, template: Path) -> None:
    shutil.copytree(template, home)


def prepare_nothing(home: Path, template: Path) -> None:
    home.mkdir()


def prepare_013(home: Path, template: Path) -> None:
    home.mkdir()
    shutil.copy(OLD_DATABASE, home / "storage.db")
    for version in ("1.0.0", "2.0.0+b1"):
        make_bundle(home / "repository/OldIris" / version, "OldIris", version, library="0.13.1")


def prepare_damaged(home: Path, template: Path) -> None:
    shutil.copytree(template, home)
    (home / "storage.db").write_text("no database")


TWO = frozenset({"Iris:1", "Iris:2"})
OLD = frozenset({"OldIris:1.0.0", "OldIris:2.0.0+b1"})
CASES = {
    "save": Case(prepare_two, lambda repo, new: repo.add_directory(new), TWO, TWO | {"Iris:3"}),
    "first-save": Case(
        prepare_nothing, lambda repo, new: repo.add_directory(new), frozenset(), frozenset({"Iris:3"})
    ),
    "delete": Case(prepare_two, lambda repo, new: repo.delete("Iris", "2"), TWO, frozenset({"Iris:1"})),
    "migrate": Case(prepare_013, lambda repo, new: repo.list(), OLD, OLD),
}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with two versions of one bundle."""
    root = tmp_path_factory.mktemp("template")
    repository = LocalRepository(root / "home")
    for version in ("1", "2"):
        repository.add_directory(make_bundle(root / version, "Iris", version))
    return root / "home"


@pytest.fixture(scope="module")
def new_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("new") / "bundle", "Iris", "3")


def state(home: Path) -> frozenset[str]:
    """The listing; every bundle in it is whole, and `latest` is one of them."""
    repository = LocalRepository(home)
    records = repository.list()
    for record in records:
        assert record.status == "DONE", record
        verify_manifest(record.uri)
    for name in {record.name for record in records}:
        newest = next(record for record in records if record.name == name)
        assert repository.get(name, "latest").tag == newest.tag
    return frozenset(record.tag for record in records)


def check_clean(home: Path, listed: frozenset[str]) -> None:
    """No leftovers: nothing in the working area, and exactly the listed bundles on disk."""
    repository = LocalRepository(home)
    if (repository.path / AREA).exists():
        assert list((repository.path / AREA).iterdir()) == []
    assert {f"{path.parent.name}:{path.name}" for path in repository.iter_directories()} == listed


def check_usable(home: Path, listed: frozenset[str], new_bundle: Path) -> None:
    """The operations work after the crash, and say the right thing about what is there."""
    repository = LocalRepository(home)
    if "Iris:3" in listed:
        with pytest.raises(AlreadyExists):
            repository.add_directory(new_bundle)
        repository.delete("Iris", "3")
    else:
        repository.add_directory(new_bundle)
    assert state(home) == listed ^ {"Iris:3"}


def numbers(step: int) -> Iterator[int]:
    number = 1 + random.Random(step).randrange(step)
    while True:
        yield number
        number += step


def inject(case: Case, home: Path, new_bundle: Path, calls: str, injection: str, number: int) -> Result:
    repository = LocalRepository(home)
    return run_injected(lambda: case.action(repository, new_bundle), calls, injection, number, home.parent)


def check_kills(case: Case, calls: str, step: int, tmp_path: Path, template: Path, new_bundle: Path) -> None:
    """Kill the operation at its n-th, n+step-th … call of one kind until it ends by itself."""
    kills = 0
    for number in numbers(step):
        home = tmp_path / f"home-{number}"
        case.prepare(home, template)
        outcome = inject(case, home, new_bundle, calls, "signal=KILL", number).outcome
        found = state(home)
        if outcome is Outcome.DONE:
            assert found == case.after
            break
        assert outcome is Outcome.KILLED, (number, outcome)
        assert found in (case.before, case.after), number
        check_clean(home, found)
        check_usable(home, found, new_bundle)
        shutil.rmtree(home)
        kills += 1
    assert kills > 0


@pytest.mark.parametrize("name", CASES)
def test_P6_F23_killed_at_changing_calls(name: str, tmp_path: Path, template: Path, new_bundle: Path) -> None:
    needs_strace(tmp_path)
    check_kills(CASES[name], CHANGES, 3, tmp_path, template, new_bundle)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("calls", [*CHANGES.split(","), *OTHERS.split(","), CHANGES])
def test_P6_F23_killed_at_every_call(
    name: str, calls: str, tmp_path: Path, template: Path, new_bundle: Path
) -> None:
    needs_strace(tmp_path)
    case = CASES[name]
    home = tmp_path / "probe"
    case.prepare(home, template)
    if not inject(case, home, new_bundle, calls, "signal=KILL", 1).injected:
        pytest.skip(f"{name} makes no call of {calls}")
    check_kills(case, calls, 1, tmp_path, template, new_bundle)


@pytest.mark.slow
def test_F23_repair_killed_at_every_changing_call_can_be_repeated(tmp_path: Path, template: Path) -> None:
    needs_strace(tmp_path)
    for number in numbers(1):
        home = tmp_path / f"home-{number}"
        prepare_damaged(home, template)
        repository = LocalRepository(home)
        outcome = run_injected(partial(repair, repository), CHANGES, "signal=KILL", number, tmp_path).outcome
        repair(repository)
        assert state(home) == TWO
        if outcome is Outcome.DONE:
            break
        shutil.rmtree(home)


FAILURES = [
    ("fsync,fdatasync", "error=EIO"),
    ("write,pwrite64", "error=ENOSPC"),
    ("rename,renameat,renameat2,mkdir,mkdirat", "error=EIO"),
    ("openat", "error=EMFILE"),
]


def check_failures(
    name: str, calls: str, failure: str, step: int, tmp_path: Path, template: Path, new_bundle: Path
) -> None:
    """Let the n-th call fail: an error means the state before, success the state after."""
    case = CASES[name]
    failures = 0
    for number in numbers(step):
        home = tmp_path / f"home-{number}"
        case.prepare(home, template)
        result = inject(case, home, new_bundle, calls, failure, number)
        found = state(home)
        assert result.outcome in (Outcome.DONE, Outcome.REFUSED), (number, result)
        assert found == (case.after if result.outcome is Outcome.DONE else case.before), (number, result)
        check_clean(home, found)
        if not result.injected:
            break
        shutil.rmtree(home)
        failures += result.outcome is Outcome.REFUSED
    assert failures > 0


@pytest.mark.parametrize("name", ["save", "delete"])
@pytest.mark.parametrize(("calls", "failure", "step"), [(*FAILURES[0], 1), (*FAILURES[1], 3)])
def test_P6_F22_failed_calls(
    name: str, calls: str, failure: str, step: int, tmp_path: Path, template: Path, new_bundle: Path
) -> None:
    needs_strace(tmp_path)
    check_failures(name, calls, failure, step, tmp_path, template, new_bundle)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["save", "first-save", "delete"])
@pytest.mark.parametrize(("calls", "failure"), FAILURES)
def test_P6_F22_every_failed_call(
    name: str, calls: str, failure: str, tmp_path: Path, template: Path, new_bundle: Path
) -> None:
    needs_strace(tmp_path)
    check_failures(name, calls, failure, 1, tmp_path, template, new_bundle)


def mixed_operations(home: Path, acknowledgements: int) -> None:
    """Save and delete for ever; one line per operation that returned."""
    repository = LocalRepository(home)
    source = home.parent / f"source-{os.getpid()}"
    for number in range(10_000):
        version = f"{os.getpid()}.{number}"
        shutil.rmtree(source, ignore_errors=True)
        repository.add_directory(make_bundle(source, "Iris", version))
        os.write(acknowledgements, f"+Iris:{version}\n".encode())
        if number % 3 == 2:
            os.write(acknowledgements, f"?Iris:{version}\n".encode())
            repository.delete("Iris", version)
            os.write(acknowledgements, f"-Iris:{version}\n".encode())


def check_random_kills(count: int, home: Path) -> None:
    """Kill -9 at random moments; nothing acknowledged is lost, nothing deleted comes back."""
    seconds = random.Random(count)
    must, may = set[str](), set[str]()
    for _ in range(count):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.close(reader)
                mixed_operations(home, writer)
            finally:
                os._exit(1)
        os.close(writer)
        time.sleep(seconds.uniform(0.0, 0.12))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with open(reader) as lines:
            for line in lines.read().splitlines():
                tag = line[1:]
                (must.add if line[0] == "+" else must.discard)(tag)
                (may.add if line[0] == "?" else may.discard)(tag)
        listed = {record.tag for record in LocalRepository(home).list()}
        assert must <= listed
        unacknowledged = listed - must - may
        assert len(unacknowledged) <= 1
        must |= unacknowledged
        may &= listed
        must |= may
        may.clear()
    assert state(home) == must
    check_clean(home, frozenset(must))


@pytest.fixture
def quiet_log() -> Iterator[None]:
    import logging

    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.usefixtures("quiet_log")
def test_P6_F24_random_kills(tmp_path: Path) -> None:
    check_random_kills(25, tmp_path / "home")


@pytest.mark.slow
@pytest.mark.usefixtures("quiet_log")
def test_P6_F24_five_hundred_random_kills(tmp_path: Path) -> None:
    check_random_kills(500, tmp_path / "home")


def test_interrupted_save_leaves_nothing(
    tmp_path: Path, new_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = LocalRepository(tmp_path / "home")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(repository._index, "add", interrupt)
    with pytest.raises(KeyboardInterrupt):
        repository.add_directory(new_bundle)
    assert state(repository.home) == frozenset()
    check_clean(repository.home, frozenset())
    with pytest.raises((NotFound, BentoMLException)):
        repository.get("Iris", "3")
