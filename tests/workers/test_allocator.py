"""What the allocator keeps, and that it gives it back: pages as the system counts them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from time import monotonic

import pytest

from bentoml.workers import allocator
from bentoml.workers.allocator import IdleMemory
from tests.server.live.process import resident_mib, serving, until
from tests.server.live.wire import get, post

pytestmark = [
    pytest.mark.skipif(allocator._glibc() is None, reason="glibc's allocator"),
    pytest.mark.timeout(120),
]

BLOCK_MIB = 64
PAGES = BLOCK_MIB * 256  # of 4 KiB

PROGRAM = f"""
import json, resource, sys
from bentoml.workers.allocator import give_back_memory, keep_freed_memory

def pages_of_a_block():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    block = bytearray({BLOCK_MIB} << 20)
    block[::4096] = b"x" * ({BLOCK_MIB} << 8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    return int(open("/proc/self/statm").read().split()[1]) >> 8

kept = keep_freed_memory() if sys.argv[1] == "keep" else None
pages_of_a_block()
again, held = pages_of_a_block(), resident()
give_back_memory()
print(json.dumps([kept, again, held, resident()]))
"""


def measured(mode: str, **variables: str) -> tuple[bool | None, int, int, int]:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_"))} | variables
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, mode], env=env, check=True, capture_output=True, text=True
    )
    kept, again, held, left = json.loads(done.stdout)
    return kept, again, held, left


def test_a_block_is_reused_without_new_pages_and_given_back() -> None:
    kept, again, held, left = measured("keep")
    assert kept is True
    assert again < PAGES / 10
    assert held - left > BLOCK_MIB * 0.9


def test_without_it_every_block_is_new() -> None:
    assert measured("leave")[1] >= PAGES / 2  # the kernel may give two at once


@pytest.mark.parametrize(
    ("name", "value"),
    [("MALLOC_TRIM_THRESHOLD_", "131072"), ("GLIBC_TUNABLES", "glibc.malloc.mmap_threshold=131072")],
)
def test_what_the_user_set_stands(name: str, value: str) -> None:
    kept, again, _, _ = measured("keep", **{name: value})
    assert kept is False
    assert again >= PAGES / 2


@pytest.mark.parametrize(
    ("name", "text", "usable"),
    [
        ("memory.max", "536870912\n", 512 << 20),
        ("memory/memory.limit_in_bytes", "1073741824\n", 1 << 30),
        ("memory.max", "max\n", None),
        ("memory/memory.limit_in_bytes", "9223372036854771712\n", None),
        ("other", "", None),
    ],
)
def test_a_container_s_memory_counts(tmp_path: Path, name: str, text: str, usable: int | None) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    there_is = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert allocator.usable_memory(tmp_path) == (usable or there_is)


def test_a_small_container_keeps_what_glibc_keeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocator, "usable_memory", lambda: 256 << 20)
    assert allocator.keep_freed_memory() is False


def test_idle_memory_is_given_back_once_for_each_busy_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now, given = [0.0], []
    monkeypatch.setattr(allocator, "monotonic", lambda: now[0])
    monkeypatch.setattr(allocator, "give_back_memory", lambda: given.append(now[0]))
    memory = IdleMemory(idle_s=3)
    for second, done in enumerate([0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3]):
        now[0] = float(second)
        memory.look(done)
    assert given == [11.0, 19.0]


SERVICE = f"""
import resource, sys
import bentoml
from bentoml.adapters import JsonInput

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

class Blocks(bentoml.BentoService):
    @bentoml.api(input=JsonInput(), batch=True)
    def predict(self, rows):
        before = faults()
        block = bytearray({BLOCK_MIB} << 20)
        block[::4096] = b"x" * ({BLOCK_MIB} << 8)
        return [faults() - before for _ in rows]
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("blocks")
    (folder / "blocks.py").write_text(SERVICE)
    (folder / "bundle").mkdir()
    code = "import sys, blocks; blocks.Blocks().save_to_dir(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, str(folder / "bundle")], cwd=folder, check=True)
    return folder / "bundle"


def pages_of_a_call(port: int) -> int:
    return int(post(port, "/predict", {}).body)


def worker_mib(port: int) -> float:
    (worker,) = json.loads(get(port, "/debug/batching").body)["workers"]
    return resident_mib(worker["pid"])


def test_a_worker_keeps_memory_between_batches_and_gives_it_back_when_idle(
    bundle: Path, tmp_path: Path
) -> None:
    with serving(bundle, tmp_path) as server:
        pages_of_a_call(server.port)
        assert pages_of_a_call(server.port) < PAGES / 10
        busy, since = worker_mib(server.port), monotonic()
        until(lambda: busy - worker_mib(server.port) > BLOCK_MIB * 0.9, 30, "the memory")
        assert monotonic() - since > allocator.IDLE_S / 2
        assert server.stop() == 0


@pytest.mark.parametrize(
    "variables", [{"BENTOML_KEEP_MEMORY": "false"}, {"BENTOML_WORKER_MAX_MEMORY": "4000"}], ids=str
)
def test_memory_is_not_kept_where_that_is_asked_for(
    bundle: Path, tmp_path: Path, variables: dict[str, str]
) -> None:
    with serving(bundle, tmp_path, env=variables) as server:
        pages_of_a_call(server.port)
        assert pages_of_a_call(server.port) >= PAGES / 2
        assert server.stop() == 0
