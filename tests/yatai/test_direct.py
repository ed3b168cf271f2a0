"""Direct transfers: the bytes of bundles over the web port, between our client and our server (P20, F32)."""

from __future__ import annotations

import random
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bentoml.bundle.packing import TarStream
from bentoml.exceptions import (
    BentoMLRpcError,
    BundleCorrupted,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
)
from bentoml.repository.base import BundleRecord
from bentoml.repository.local import LocalRepository
from bentoml.rpc import direct
from bentoml.rpc.channel import RpcClient
from bentoml.settings import load_settings
from bentoml.tags import Tag
from bentoml.yatai.access import LOCAL, READ
from bentoml.yatai.client import get_yatai_client
from bentoml.yatai.direct import tickets as tickets_module
from bentoml.yatai.direct.tickets import Ticket, Tickets
from bentoml.yatai.remote.download import download
from bentoml.yatai.remote.upload import Outgoing, upload
from tests.repository.bundles import make_bundle

from .certificates import Authority
from .conftest import Running
from .proxy import CuttingProxy
from .slow_link import SlowLink

Add = Callable[..., BundleRecord]
Puts = Callable[[Running], tuple[int, int]]
TAG = Tag("Iris", "1")


@pytest.fixture
def db_url() -> None:
    """The database has no part in how bytes travel: SQLite is enough."""


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle of 12 MiB, and a home for clients."""
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "client-home"))
    monkeypatch.setattr("bentoml.rpc.channel.FIRST_PAUSE_S", 0.02)
    return make_bundle(tmp_path / "source", "Iris", "1", content=random.Random(7).randbytes(12 << 20))


@pytest.fixture
def client(server: Running) -> RpcClient:
    return RpcClient(server.address, load_settings().yatai)


def files(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()
    }


def handled(server: Running) -> dict[str, int]:
    """How many direct transfers ended well, by their kind."""
    text = urllib.request.urlopen(f"{server.url}/metrics", timeout=20).read().decode()
    found = {}
    for kind in ("DirectPut", "DirectGet", "SendUpload", "FetchBento"):
        lines = [line for line in text.splitlines() if f'"{kind}"' in line and "handled_total" in line]
        found[kind] = sum(int(float(line.split()[-1])) for line in lines if 'grpc_code="OK"' in line)
    return found


def begin(client: RpcClient, bundle: Path) -> tuple[dict[str, Any], TarStream]:
    tar = Outgoing.of(TAG, bundle)
    fields = {"size_bytes": tar.tar.size_bytes, "manifest_digest": tar.manifest_digest}
    return client.call("BeginUpload", name=TAG.name, version=TAG.version, **fields), tar.tar


def redirected(monkeypatch: pytest.MonkeyPatch, proxy: CuttingProxy | SlowLink) -> None:
    """Direct connections go through a proxy."""
    connect = direct._connect
    port = int(proxy.address.rpartition(":")[2])
    monkeypatch.setattr(direct, "_connect", lambda host, _port: connect(host, port))


def test_push_and_pull_go_directly(server: Running, bundle: Path, tmp_path: Path) -> None:
    local = LocalRepository(tmp_path / "client-home")
    local.add_directory(bundle, {"env": "prod"})
    client = get_yatai_client(server.address)
    stored = client.repository.push("Iris:1")
    local.delete("Iris", "1")
    pulled = client.repository.pull("Iris:1")
    assert files(Path(stored)) == files(bundle) == files(Path(pulled))
    assert local.get("Iris", "1").labels == {"env": "prod"}
    assert handled(server) == {"DirectPut": 1, "DirectGet": 1, "SendUpload": 0, "FetchBento": 0}


def test_P20_F32_both_go_on_after_the_connection_breaks(
    server: Running, client: RpcClient, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert server.server.ui_port is not None
    with CuttingProxy(server.server.ui_port, [2 << 20, 5 << 20]) as proxy:
        redirected(monkeypatch, proxy)
        record = upload(client, TAG, bundle, {}, {})
        assert proxy.cuts == 2
        proxy.limits[:] = [3 << 20, 6 << 20]
        download(client, record, tmp_path / "pulled")
        assert proxy.cuts == 4
    assert files(tmp_path / "pulled") == files(bundle) == files(Path(record.uri))
    assert handled(server)["DirectGet"] >= 1


def test_push_that_gets_nowhere_ends_and_the_next_one_continues(
    server: Running, client: RpcClient, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert server.server.ui_port is not None
    with CuttingProxy(server.server.ui_port, [4 << 20, *[2000] * 100]) as proxy:
        redirected(monkeypatch, proxy)
        with pytest.raises(BentoMLRpcError, match="Push it again to go on from there"):
            upload(client, TAG, bundle, {}, {})
        proxy.limits.clear()
        offsets = []
        put = direct.put

        def noting(host: str, address: Any, tar: Any, offset: int, advance: Any) -> None:
            offsets.append(offset)
            put(host, address, tar, offset, advance)

        monkeypatch.setattr(direct, "put", noting)
        upload(client, TAG, bundle, {}, {})
    assert offsets[0] > 1 << 20


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 404 Not Found\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n"])
def test_gRPC_is_used_where_something_else_has_the_port(
    server: Running,
    client: RpcClient,
    bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: bytes,
) -> None:
    def elsewhere(_host: str, _port: int) -> socket.socket:
        if not answer:
            raise ConnectionRefusedError("nobody listens")
        ours, theirs = socket.socketpair()
        theirs.sendall(answer)
        theirs.shutdown(socket.SHUT_WR)
        kept.append(theirs)
        return _without_tcp(ours)

    kept: list[socket.socket] = []
    monkeypatch.setattr(direct, "_connect", elsewhere)
    record = upload(client, TAG, bundle, {}, {})
    client.direct_host = "127.0.0.1"
    download(client, record, tmp_path / "pulled")
    assert files(tmp_path / "pulled") == files(bundle)
    assert handled(server) == {"DirectPut": 0, "DirectGet": 0, "SendUpload": 1, "FetchBento": 1}


def _without_tcp(pair: socket.socket) -> socket.socket:
    """A socket pair's end that lets TCP's options be."""

    class Quiet(socket.socket):
        def setsockopt(self, *_: Any) -> None:
            pass

    return Quiet(fileno=pair.detach())


def test_nothing_is_sent_directly_beside_tls_or_without_the_web_port(
    start: Callable[..., Running], bundle: Path, tmp_path: Path
) -> None:
    authority = Authority(tmp_path, "authority")
    pair = authority.issue("server")
    server = start(tls_certificate=pair.certificate, tls_key=pair.key)
    settings = load_settings(yatai__tls_root_ca_cert=str(authority.root)).yatai
    client = RpcClient(f"grpcs://localhost:{server.server.grpc_port}", settings)
    assert client.direct_host is None  # a proxy may have ended TLS before a server that offers it
    assert begin(client, bundle)[0]["direct"] is None
    assert Tickets(None, "").issue(Ticket(LOCAL, "an upload")) is None


def test_bytes_that_are_no_sound_bundle_end_the_upload(
    server: Running, client: RpcClient, bundle: Path
) -> None:
    state, tar = begin(client, bundle)

    class Other:
        size_bytes = tar.size_bytes

        def iter_parts(self, _offset: int) -> Iterator[bytes]:
            yield b"this is no tar archive" * (tar.size_bytes // 22 + 1)

    with pytest.raises(BundleCorrupted):
        direct.put("127.0.0.1", state["direct"], Other(), 0, lambda _more: None)  # type: ignore[arg-type]
    assert client.call("GetUpload", upload_id=state["upload_id"])["state"] == "FAILED"


def test_offset_and_ticket_are_checked(
    server: Running, client: RpcClient, bundle: Path, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    add("Other", "1")
    state, tar = begin(client, bundle)
    ignore: Callable[[int], None] = lambda _more: None  # noqa: E731
    with pytest.raises(FailedPrecondition, match="continues at byte 0"):
        direct.put("127.0.0.1", state["direct"], tar, 512, ignore)
    wrong = {**state["direct"], "path": "/transfers/guessed"}
    with pytest.raises(NotFound):
        direct.put("127.0.0.1", wrong, tar, 0, ignore)
    with pytest.raises(NotFound):  # it is one for sending
        direct.fetch("127.0.0.1", state["direct"], 0, bytearray().extend)
    offered = client.call("OpenFetch", name="Other", version="1")["direct"]
    with pytest.raises(NotFound):
        direct.put("127.0.0.1", offered, tar, 0, ignore)
    monkeypatch.setattr(tickets_module, "GOOD_S", -1.0)
    with pytest.raises(NotFound, match="time is over"):
        direct.put("127.0.0.1", begin(client, bundle)[0]["direct"], tar, 0, ignore)


def test_who_may_only_read_gets_no_way_to_send(start: Callable[..., Running], add: Add, bundle: Path) -> None:
    add("Other", "1")
    server = start(auth_required=True)
    _, secret = server.registry.tokens.create(LOCAL, "reader", [READ])
    client = RpcClient(server.address, load_settings(yatai__access_token=secret).yatai)
    assert client.call("OpenFetch", name="Other", version="1")["direct"] is not None
    with pytest.raises(PermissionDenied):
        begin(client, bundle)


def test_head_may_come_in_pieces_and_a_range_is_served(
    server: Running, client: RpcClient, add: Add, tmp_path: Path
) -> None:
    record = add("Other", "1")
    offered = client.call("OpenFetch", name="Other", version="1")["direct"]
    whole = b"".join(TarStream(Path(record.uri)).iter_chunks())
    with socket.create_connection(("127.0.0.1", offered["port"]), 20) as connection:
        head = f"GET {offered['path']} HTTP/1.1\r\nHost: x\r\nRange: bytes=100-\r\n\r\n".encode()
        for start in (0, len(head) // 2):
            connection.sendall(head[start : start + len(head) // 2])
            time.sleep(0.1)
        connection.sendall(head[2 * (len(head) // 2) :])
        got = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    assert got.startswith(b"HTTP/1.1 206 ")
    assert got.partition(b"\r\n\r\n")[2] == whole[100:]
    url = f"http://127.0.0.1:{offered['port']}{offered['path']}"
    with urllib.request.urlopen(url, timeout=20) as answer:  # any client of HTTP will do
        assert answer.read() == whole


@pytest.mark.parametrize(
    ("fields", "status"),
    [("", 400), ("Upload-Offset: -1\r\n", 400), ("Upload-Offset: 0\r\nContent-Length: x\r\n", 400)],
)
def test_requests_without_sense_are_refused(
    server: Running, client: RpcClient, bundle: Path, fields: str, status: int
) -> None:
    state, _ = begin(client, bundle)
    with socket.create_connection(("127.0.0.1", state["direct"]["port"]), 20) as connection:
        connection.sendall(f"PUT {state['direct']['path']} HTTP/1.1\r\n{fields}\r\n".encode())
        assert b"".join(iter(lambda: connection.recv(4096), b"")).startswith(f"HTTP/1.1 {status} ".encode())
    with pytest.raises(InvalidArgument):
        client.call("BeginUpload", name="Iris", version="1", size_bytes=0)


def test_silent_client_is_given_up_and_what_it_sent_stays(
    start: Callable[..., Running], bundle: Path
) -> None:
    server = start(stalled_s=0.3)
    client = RpcClient(server.address, load_settings().yatai)
    state, tar = begin(client, bundle)
    path, size = state["direct"]["path"], tar.size_bytes
    head = f"PUT {path} HTTP/1.1\r\nUpload-Offset: 0\r\nContent-Length: {size}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", state["direct"]["port"]), 20) as connection:
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"".join(tar.iter_chunks())[: 5 << 20])
        assert connection.recv(100) == b""
    found = client.call("GetUpload", upload_id=state["upload_id"])
    assert (found["state"], found["received_bytes"]) == ("RECEIVING", 5 << 20)


def test_F32_slow_line_is_not_taken_for_a_silent_one(
    start: Callable[..., Running], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "client-home"))
    source = make_bundle(tmp_path / "slow", "Iris", "1", content=random.Random(1).randbytes(1 << 20))
    server = start(stalled_s=0.4)
    client = RpcClient(server.address, load_settings().yatai)
    assert server.server.ui_port is not None
    with SlowLink(server.server.ui_port, 700_000, 0.02) as link:
        redirected(monkeypatch, link)
        record = upload(client, TAG, source, {}, {})
        download(client, record, tmp_path / "pulled")
        assert link.connections == 2
    assert files(tmp_path / "pulled") == files(source)
    assert handled(server)["DirectPut"] == 1


def test_server_that_stops_ends_what_runs(start: Callable[..., Running], bundle: Path) -> None:
    server = start()
    client = RpcClient(server.address, load_settings().yatai)
    state, _tar = begin(client, bundle)
    head = f"PUT {state['direct']['path']} HTTP/1.1\r\nUpload-Offset: 0\r\nContent-Length: 9999\r\n\r\n"
    with socket.create_connection(("127.0.0.1", state["direct"]["port"]), 20) as connection:
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        server.server.stop(0.1)
        assert connection.recv(100) == b""


def test_pages_are_served_as_before_on_that_port(server: Running) -> None:
    with pytest.raises(urllib.error.HTTPError) as failure:
        urllib.request.urlopen(f"{server.url}/transfers", timeout=20)
    assert failure.value.code == 404
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), 20) as connection:
        connection.sendall(b"GET /transfers/ HTTP/1.1\r\nX: " + b"x" * 9000)
        assert connection.recv(100) == b""
