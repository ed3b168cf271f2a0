"""Cancelled calls, 10,000 of them (F31): memory, files, threads and folders of uploads stay as they were."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from bentoml.rpc import convert
from bentoml.rpc.channel import RpcClient
from bentoml.settings import load_settings
from bentoml.yatai.remote.repository import RemoteRepository
from tests.repository.bundles import make_bundle
from tests.yatai.wire import NEW, Wire

from .process import ServerProcess, server_process

MOST_MORE_BYTES = 24 << 20
MOST_MORE_FILES = 5
SIZE = 200_000


@dataclass(frozen=True)
class Held:
    """What the server's process holds."""

    memory_bytes: int
    files: int
    threads: int
    folders: frozenset[str]

    @classmethod
    def by(cls, server: ServerProcess) -> Held:
        status = dict(
            line.split(":", 1) for line in Path(f"/proc/{server.pid}/status").read_text().splitlines()
        )
        folders = [server.home / "yatai/uploads", server.home / "repository/.staging"]
        return cls(
            int(status["VmRSS"].split()[0]) << 10,
            len(list(Path(f"/proc/{server.pid}/fd").iterdir())),
            int(status["Threads"]),
            frozenset(path.name for folder in folders for path in folder.glob("*")),
        )


@pytest.fixture
def server(tmp_path: Path, db_url: str | None, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServerProcess]:
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "client"))
    if not Path("/proc/self/fd").exists():
        pytest.skip("needs Linux: what a process holds is read from /proc")
    with server_process(tmp_path / "server", db_url) as found:
        found.start()
        yield found


def kinds(wire: Wire, data: bytes) -> list[Callable[[int], Any]]:
    """One of each kind of call: plain, with a stream of requests, of answers, and 0.13's upload."""

    def plain(_number: int) -> Any:
        return wire.channel.unary_unary(convert.method("ListBento").path).future(b"", metadata=NEW)

    def upload(number: int) -> Any:
        begin = {"name": "Iris", "version": f"c{number % 7}", "size_bytes": len(data), "sha256": "0" * 64}
        begun = wire.call("BeginUpload", **begin, request_id=f"cancelled-upload-{number % 7}")
        method = convert.method("SendUpload")
        parts = [{"upload_id": begun["upload_id"], "data": b"x" * 512}, {"data": data[:4096]}]
        messages = iter([convert.write(method.request, part) for part in parts])
        return wire.channel.stream_unary(method.path).future(messages, metadata=NEW)

    def old_upload(number: int) -> Any:
        method = convert.method("UploadBento")
        part = {"bento_name": "Iris", "bento_version": f"o{number}", "bento_bundle": data[:4096]}
        messages = iter([convert.write(method.request, part)] * 2)
        return wire.channel.stream_unary(method.path).future(messages)

    def download(_number: int) -> Any:
        method = convert.method("FetchBento")
        request = convert.write(method.request, {"bento": {"name": "Iris", "version": "1"}})
        return wire.channel.unary_stream(method.path)(request, metadata=NEW)

    return [plain, old_upload, download, plain, upload]


def cancel(server: ServerProcess, count: int, data: bytes) -> None:
    """Calls of all kinds, each cancelled at some moment of its first milliseconds."""
    chance = random.Random(count)
    with closing(Wire(server.port, NEW)) as wire:
        made = kinds(wire, data)
        for number in range(count):
            try:
                call = made[number % len(made)](number)
            except grpc.RpcError as err:
                assert err.code() is grpc.StatusCode.RESOURCE_EXHAUSTED, err
                continue
            if chance.random() < 0.2:
                time.sleep(chance.uniform(0.0, 0.004))
            call.cancel()
        settle(wire)


def settle(wire: Wire) -> None:
    end = time.monotonic() + 60
    while True:
        try:
            wire.call("ListBento")
            return
        except grpc.RpcError as err:
            assert err.code() is grpc.StatusCode.RESOURCE_EXHAUSTED, err
            assert time.monotonic() < end, "the places are not free again"
            time.sleep(0.05)


def check_cancels(server: ServerProcess, count: int, tmp_path: Path) -> str:
    source = make_bundle(tmp_path / "made", "Iris", "1", content=random.Random(1).randbytes(SIZE))
    data = random.Random(2).randbytes(SIZE)
    with closing(RpcClient(server.address, load_settings().yatai)) as client:
        RemoteRepository(client).add_directory(source)
        cancel(server, count // 5, data)  # pools and caches have their size afterwards
        before = Held.by(server)
        cancel(server, count, data)
        end = time.monotonic() + 30
        while True:
            after = Held.by(server)
            more = after.memory_bytes - before.memory_bytes
            is_as_before = (
                after.files <= before.files + MOST_MORE_FILES
                and after.threads <= before.threads + MOST_MORE_FILES
                and not [name for name in after.folders if name.endswith(".lock")]
                and len(after.folders) <= 7
            )
            if is_as_before and more <= MOST_MORE_BYTES:
                break
            assert time.monotonic() < end, (before, after)
            time.sleep(0.2)
        assert [record.tag for record in RemoteRepository(client).list()] == ["Iris:1"]
        RemoteRepository(client).add_directory(make_bundle(tmp_path / "next", "Iris", "2"))
    return f"{more / 2**20:+.1f} MiB, {after.files - before.files:+d} files, {after.threads} threads"


def test_F31_cancelled_calls_leave_nothing(server: ServerProcess, tmp_path: Path) -> None:
    check_cancels(server, 1000, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_F31_ten_thousand_cancelled_calls_leave_nothing(
    server: ServerProcess, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    record_property("held", check_cancels(server, 10_000, tmp_path))
