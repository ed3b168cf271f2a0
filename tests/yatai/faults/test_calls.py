"""Many calls, broken streams, cancelled calls (F31, F32, B104): nothing is held, nothing is left."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from bentoml.repository.base import BundleRecord
from bentoml.rpc import convert
from bentoml.yatai.db.bundles import BundleQuery
from tests.repository.bundles import make_bundle
from tests.yatai.conftest import Running, tar_of
from tests.yatai.wire import NEW, Wire

Add = Callable[..., BundleRecord]


@pytest.fixture(params=["sqlite"])
def db_url() -> None:
    """One database is enough: what is tested ends before it."""
    return


def eventually(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def leftovers(server: Running) -> list[Path]:
    return list(server.registry.uploads.directory.glob("*"))


def begin(wire: Wire, data: bytes, version: str = "1") -> str:
    answer = wire.call("BeginUpload", name="Iris", version=version, size_bytes=len(data), sha256="0" * 64)
    return str(answer["upload_id"])


class OpenStream:
    """A stream of requests that stays open until it is told to end."""

    def __init__(self, wire: Wire, name: str, *messages: dict[str, Any]) -> None:
        method = convert.method(name)
        self._end = threading.Event()

        def requests() -> Iterator[bytes]:
            for message in messages:
                yield convert.write(method.request, message)
            self._end.wait(120)

        self.call = wire.channel.stream_unary(method.path).future(requests(), metadata=wire.metadata)

    def code(self) -> grpc.StatusCode:
        try:
            self.call.result(timeout=60)
        except grpc.RpcError as err:
            return err.code()
        except grpc.FutureCancelledError:
            return grpc.StatusCode.CANCELLED
        finally:
            self._end.set()
        return grpc.StatusCode.OK


def test_F31_thousand_calls_at_once_are_refused_beyond_the_cap(start: Callable[..., Running]) -> None:
    server = start(max_calls=4)
    wire = Wire(server.server.grpc_port, NEW)
    upload_id = begin(wire, b"x" * 1024)
    held = [OpenStream(wire, "SendUpload") for _ in range(4)]
    method = convert.method("ListBento")
    call = wire.channel.unary_unary(method.path)

    def code_of_one() -> str:
        try:
            call(b"", metadata=NEW, timeout=60)
        except grpc.RpcError as err:
            return str(err.code().name)
        return "OK"

    eventually(lambda: code_of_one() == "RESOURCE_EXHAUSTED", "the cap is not reached")
    futures = [call.future(b"", metadata=NEW, timeout=60) for _ in range(1000)]
    codes = Counter(future.code().name for future in futures)
    assert codes == {"RESOURCE_EXHAUSTED": 1000}
    for stream in held:
        stream.call.cancel()
        assert stream.code() is grpc.StatusCode.CANCELLED
    eventually(lambda: code_of_one() == "OK", "the places are not free again")
    futures = [call.future(b"", metadata=NEW, timeout=60) for _ in range(1000)]
    codes = Counter(future.code().name for future in futures)
    assert set(codes) <= {"OK", "RESOURCE_EXHAUSTED"} and codes["OK"] > 0
    assert wire.call("GetUpload", upload_id=upload_id)["state"] == "RECEIVING"
    wire.close()


def cancel_rapidly(server: Running, wire: Wire, count: int) -> None:
    upload_id = begin(wire, b"x" * 1024)
    listing, sending = convert.method("ListBento"), convert.method("SendUpload")
    data = convert.write(sending.request, {"upload_id": upload_id, "data": b"y"})
    for number in range(count):
        if number % 2:
            call = wire.channel.unary_unary(listing.path).future(b"", metadata=NEW)
        else:
            call = wire.channel.stream_unary(sending.path).future(iter([data]), metadata=NEW)
        call.cancel()

    def answers() -> bool:
        try:
            return bool(wire.call("HealthCheck")["status"]["status_code"] == 0)
        except grpc.RpcError as err:
            assert err.code() is grpc.StatusCode.RESOURCE_EXHAUSTED  # the last ones are still ending
            return False

    eventually(answers, "the server does not answer any more")
    eventually(lambda: not list(server.registry.uploads.directory.glob("*.lock")), "a lock is held")
    names = [thread.name for thread in threading.enumerate()]
    assert sum(name.startswith("yatai-rpc") for name in names) <= server.settings.yatai.max_calls


def test_F31_rapid_cancels(server: Running, wire: Wire) -> None:
    cancel_rapidly(server, wire, 1000)


@pytest.mark.slow
def test_F31_ten_thousand_rapid_cancels(server: Running, wire: Wire) -> None:
    cancel_rapidly(server, wire, 10_000)


def test_B104_stream_that_never_ends_is_ended_and_its_lock_is_free(start: Callable[..., Running]) -> None:
    server = start(stalled_s=0.5)
    wire = Wire(server.server.grpc_port, NEW)
    upload_id = begin(wire, b"x" * 1024)
    for messages in ([], [{"upload_id": upload_id}]):
        stream = OpenStream(wire, "SendUpload", *messages)
        assert stream.code() is grpc.StatusCode.CANCELLED
    eventually(lambda: not list(server.registry.uploads.directory.glob("*.lock")), "a lock is held")
    answer = wire.send("SendUpload", iter([{"upload_id": upload_id}]))
    assert answer["state"] == "RECEIVING"
    wire.close()


def test_B104_old_upload_that_never_ends_leaves_nothing(start: Callable[..., Running]) -> None:
    server = start(stalled_s=0.5)
    wire = Wire(server.server.grpc_port)
    first = {"bento_name": "Iris", "bento_version": "1"}
    stream = OpenStream(wire, "UploadBento", first, {**first, "bento_bundle": b"x" * 100})
    assert stream.code() is not grpc.StatusCode.OK
    eventually(lambda: leftovers(server) == [], "files stay")
    wire.close()


def test_B104_stream_that_changes_its_name_or_sends_nothing(
    server: Running, wire: Wire, tmp_path: Path
) -> None:
    data = tar_of(make_bundle(tmp_path / "made", "Iris", "1"))
    old = {"bento_name": "Iris", "bento_version": "1", "bento_bundle": data[:4096]}
    for name, messages in (
        ("UploadBento", [old, {**old, "bento_version": "2"}]),
        ("UploadBento", []),
        ("SendUpload", []),
    ):
        with pytest.raises(grpc.RpcError) as failure:
            wire.send(name, iter(messages))
        assert failure.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    upload_id, other = begin(wire, data), begin(wire, data, "2")
    with pytest.raises(grpc.RpcError) as failure:
        wire.send("SendUpload", iter([{"upload_id": upload_id, "data": data[:4096]}, {"upload_id": other}]))
    assert failure.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert wire.call("GetUpload", upload_id=upload_id)["received_bytes"] >= 512
    assert server.registry.bundles.count(BundleQuery()) == 0


def test_B104_stream_that_is_cut_in_a_header_goes_on(server: Running, wire: Wire, tmp_path: Path) -> None:
    """Whatever the size of the pieces, and wherever each call ends."""
    import hashlib

    data = tar_of(make_bundle(tmp_path / "made", "Iris", "1", content=bytes(range(256)) * 40))
    answer = wire.call(
        "BeginUpload",
        name="Iris",
        version="1",
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
    )
    upload_id, position, piece = answer["upload_id"], 0, 2000
    while position < len(data):
        message = {"upload_id": upload_id, "offset": position, "data": data[position : position + piece]}
        position = wire.send("SendUpload", iter([message]))["received_bytes"]
        if piece == 5000:
            server.registry.uploads._arriving.forget(upload_id)  # as a server that was started again
        piece = 5000 if piece == 2000 else 2000
    bento = wire.call("FinishUpload", upload_id=upload_id)["bento"]
    assert bento["version"] == "1"
    assert leftovers(server) == []
