"""Our client against our server: push, pull, list, delete, aliases, interruptions (P6, P20, F31, F32)."""

from __future__ import annotations

import hashlib
import io
import random
import tarfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bentoml.exceptions import (
    AlreadyExists,
    BentoMLException,
    BentoMLRpcError,
    BundleCorrupted,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    Unauthenticated,
)
from bentoml.repository.base import BundleRecord
from bentoml.repository.local import LocalRepository
from bentoml.rpc.channel import RpcClient
from bentoml.settings import load_settings
from bentoml.tags import Tag
from bentoml.yatai.access import LOCAL
from bentoml.yatai.client import YataiClient, get_yatai_client
from bentoml.yatai.db.bundles import BundleQuery
from bentoml.yatai.remote import upload as upload_module
from tests.repository.bundles import make_bundle

from .conftest import Running, tar_of
from .proxy import CuttingProxy

Add = Callable[..., BundleRecord]
BIG = bytes(range(256)) * (3 << 12)  # 3 MiB, so that several messages are needed


@pytest.fixture
def local(server: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalRepository:
    """The local repository of the client, in a home of its own."""
    path = tmp_path / "client-home"
    monkeypatch.setenv("BENTOML_HOME", str(path))
    monkeypatch.setattr("bentoml.rpc.channel.FIRST_PAUSE_S", 0.02)
    return LocalRepository(path)


@pytest.fixture
def over_grpc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes go the way that every server has."""
    monkeypatch.setenv("BENTOML_YATAI_DIRECT_TRANSFERS", "false")


@pytest.fixture
def client(server: Running, local: LocalRepository) -> YataiClient:
    return get_yatai_client(server.address)


def save(local: LocalRepository, tmp_path: Path, version: str, content: bytes = BIG) -> Path:
    source = make_bundle(tmp_path / f"source-{version}", "Iris", version, content=content)
    return local.add_directory(source, {"env": "prod"}, {"git_commit": "abc123", "parent": "Iris:0"})


def files(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()
    }


def test_push_and_pull_carry_files_labels_and_lineage(
    client: YataiClient, local: LocalRepository, server: Running, tmp_path: Path
) -> None:
    source = save(local, tmp_path, "1")
    location = client.repository.push("Iris:latest")
    stored = server.registry.bundles.find("Iris", "1")
    assert (stored.uri, stored.labels) == (location, {"env": "prod"})
    assert stored.lineage == {"git_commit": "abc123", "parent": "Iris:0"}
    assert files(Path(location)) == files(source)
    with pytest.raises(AlreadyExists):
        client.repository.push("Iris:1")
    local.delete("Iris", "1")
    pulled = client.repository.pull("Iris:1")
    assert files(Path(pulled)) == files(Path(location))
    assert local.get("Iris", "1").labels == {"env": "prod"}
    assert local.get("Iris", "1").lineage == stored.lineage
    assert list((local.home / "yatai/pushes").glob("*")) == []


def test_push_without_labels(
    client: YataiClient, local: LocalRepository, server: Running, tmp_path: Path
) -> None:
    save(local, tmp_path, "1")
    client.repository.push("Iris:1", with_labels=False)
    assert server.registry.bundles.find("Iris", "1").labels == {}


def test_list_get_delete_retrieve_and_load_by_alias(
    client: YataiClient, server: Running, add: Add, tmp_path: Path
) -> None:
    for version in ("1", "2", "3"):
        add("Iris", version, {"v": version})
    assert [bento.tag for bento in client.repository.list(labels="v!=2")] == ["Iris:3", "Iris:1"]
    assert client.repository.get("Iris:latest").version == "3"
    server.registry.aliases.move(LOCAL, "Iris", "prod", "1")
    assert client.repository.get("Iris@prod").version == "1"
    client.repository.retrieve("Iris@prod", tmp_path / "copy")
    assert (tmp_path / "copy/Iris/artifacts/model.pkl").read_bytes() == b"weights"
    assert (client.repository.resolve("Iris:2") / "bentoml.yml").is_file()
    client.repository.delete(bento_name="Iris", bento_version="3")
    assert [bento.tag for bento in client.repository.list()] == ["Iris:2", "Iris:1"]
    with pytest.raises(NotFound, match="NOT_FOUND"):
        client.repository.get("Iris:3")


def test_delete_of_a_name_deletes_more_than_one_page(client: YataiClient, add: Add, server: Running) -> None:
    for number in range(60):
        add("Many", str(number))
    client.repository.delete(bento_name="Many")
    assert server.registry.bundles.count(BundleQuery()) == 0


@pytest.mark.usefixtures("over_grpc")
def test_P20_F32_push_and_pull_go_on_after_the_connection_breaks(
    local: LocalRepository, server: Running, tmp_path: Path
) -> None:
    content = random.Random(7).randbytes(12 << 20)
    source = save(local, tmp_path, "1", content)
    with CuttingProxy(server.server.grpc_port, [2 << 20, 5 << 20]) as proxy:
        location = get_yatai_client(proxy.address).repository.push("Iris:1")
        assert proxy.cuts == 2
    assert files(Path(location)) == files(source)
    local.delete("Iris", "1")
    with CuttingProxy(server.server.grpc_port, [3 << 20, 6 << 20]) as proxy:
        pulled = get_yatai_client(proxy.address).repository.pull("Iris:1")
        assert proxy.cuts == 2
    assert files(Path(pulled)) == files(Path(location))


@pytest.mark.usefixtures("over_grpc")
def test_F31_push_of_a_new_process_continues_an_interrupted_one(
    local: LocalRepository, server: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(local, tmp_path, "1", random.Random(7).randbytes(12 << 20))

    def wait_until_some_of_it_is_kept() -> None:
        [kept] = (local.home / "yatai/pushes").glob("*.id")
        upload_id = hashlib.sha256(f"local\0{kept.read_text()}".encode()).hexdigest()[:32]
        end = time.monotonic() + 60
        while server.registry.uploads.progress(LOCAL, upload_id).received_bytes < 1 << 20:
            assert time.monotonic() < end
            time.sleep(0.01)

    limits = [4 << 20, *[0] * 100]
    with CuttingProxy(server.server.grpc_port, limits, wait_until_some_of_it_is_kept) as proxy:
        with pytest.raises(BentoMLRpcError):
            get_yatai_client(proxy.address).repository.push("Iris:1")
        assert server.registry.bundles.count(BundleQuery()) == 0
        [kept] = (local.home / "yatai/pushes").glob("*.id")
        proxy.limits.clear()
        offsets: list[int] = []
        messages = upload_module._messages

        def note_offset(outgoing: Any, upload_id: str, offset: int, advance: Any) -> Any:
            offsets.append(offset)
            return messages(outgoing, upload_id, offset, advance)

        monkeypatch.setattr(upload_module, "_messages", note_offset)
        get_yatai_client(proxy.address).repository.push("Iris:1")
    assert offsets[0] >= 1 << 20
    assert not kept.exists()
    assert server.registry.bundles.find("Iris", "1").labels == {"env": "prod"}


@pytest.mark.usefixtures("over_grpc")
def test_trouble_with_the_own_files_is_named(
    client: YataiClient, local: LocalRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_outgoing: Any, upload_id: str, *_: Any) -> Any:
        yield {"upload_id": upload_id}
        raise BundleCorrupted("'model.pkl' became shorter while it was read")

    save(local, tmp_path, "1")
    monkeypatch.setattr(upload_module, "_messages", broken)
    with pytest.raises(BundleCorrupted, match="became shorter"):
        client.repository.push("Iris:1")


def test_racing_pushes_have_one_winner(server: Running, local: LocalRepository, tmp_path: Path) -> None:
    """P7 over the wire."""
    save(local, tmp_path, "1")
    outcomes: list[str] = []

    def push() -> None:
        try:
            get_yatai_client(server.address).repository.push("Iris:1")
            outcomes.append("won")
        except AlreadyExists:
            outcomes.append("lost")

    threads = [threading.Thread(target=push) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert sorted(outcomes) == ["lost"] * 7 + ["won"]
    assert server.registry.bundles.count(BundleQuery()) == 1


@pytest.mark.parametrize(
    ("announced", "reason"), [("sha256", "SHA-256 differs"), ("manifest_digest", "its manifest differs")]
)
def test_P20_other_bytes_than_announced_are_refused_and_leave_nothing(
    server: Running, tmp_path: Path, announced: str, reason: str
) -> None:
    rpc = RpcClient(server.address, load_settings().yatai)
    data = tar_of(make_bundle(tmp_path / "made", "Iris", "1"))
    size: dict[str, Any] = {"size_bytes": len(data), announced: "0" * 64}
    begun = rpc.call("BeginUpload", name="Iris", version="1", **size)
    rpc.send("SendUpload", iter([{"upload_id": begun["upload_id"], "data": data}]))
    with pytest.raises(BundleCorrupted, match=reason):
        rpc.call("FinishUpload", upload_id=begun["upload_id"])
    state = rpc.call("GetUpload", upload_id=begun["upload_id"])
    assert (state["state"], state["received_bytes"]) == ("FAILED", 0)
    assert server.registry.bundles.count(BundleQuery()) == 0
    assert list(server.registry.uploads.directory.iterdir()) == []


@pytest.mark.parametrize("name", ["../x", "/abs", "a/../../x", "bentoml.yml"])
def test_X1_X2_X3_X8_hostile_archives_are_refused_and_leave_nothing(server: Running, name: str) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("bentoml.yml"))
        archive.addfile(tarfile.TarInfo(name))
    rpc, data = RpcClient(server.address, load_settings().yatai), stream.getvalue()
    begun = rpc.call("BeginUpload", name="Iris", version="1", size_bytes=len(data), sha256="0" * 64)
    with pytest.raises(BundleCorrupted):
        rpc.send("SendUpload", iter([{"upload_id": begun["upload_id"], "data": data}]))
    assert rpc.call("GetUpload", upload_id=begun["upload_id"])["state"] == "FAILED"
    assert list(server.registry.uploads.directory.iterdir()) == []


def test_bundle_of_013_without_a_manifest_is_pushed(
    server: Running, client: YataiClient, tmp_path: Path
) -> None:
    source = make_bundle(tmp_path / "made", "Iris", "1", library="0.13.1", content=BIG)
    location = client.repository.upload_from_dir(source)
    assert files(Path(location)) == files(source)


def test_damaged_bundle_is_refused_by_the_server_with_the_name_of_the_file(
    server: Running, client: YataiClient, tmp_path: Path
) -> None:
    source = make_bundle(tmp_path / "made", "Iris", "1")
    (source / "Iris/artifacts/model.pkl").write_bytes(b"WEIGHTS")
    with pytest.raises(BundleCorrupted, match=r"model\.pkl' was changed"):
        client.repository.upload_from_dir(source)
    assert server.registry.bundles.count(BundleQuery()) == 0


def test_save_sends_labels_and_lineage_to_the_server(
    server: Running, client: YataiClient, local: LocalRepository
) -> None:
    """`service.save(yatai_url=…, lineage=…)`, shown by the client and by `bentoml get`."""
    from tests.yatai.saved import Small

    lineage = {"git_commit": "1f3a5c7", "parent": "Small:0", "dataset": "s3://data/2026-11"}
    service = Small()
    service.save(yatai_url=server.address, version="1", labels={"env": "prod"}, lineage=lineage)
    bento = client.repository.get("Small:1")
    assert (bento.lineage, dict(bento.bento_service_metadata.labels)) == (lineage, {"env": "prod"})
    assert bento.record.to_dict()["lineage"] == lineage
    assert local.list() == []
    service.save(version="2", lineage={"git_commit": "abc"})
    assert local.get("Small", "2").lineage == {"git_commit": "abc"}
    with pytest.raises(InvalidArgument, match="lineage"):
        service.save(version="3", lineage={"git_commit": 7})  # type: ignore[dict-item]


def test_token_of_the_settings_is_sent(
    start: Callable[..., Running], local: LocalRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = start(auth_required=True)
    save(local, tmp_path, "1")
    with pytest.raises(Unauthenticated, match="access token"):
        get_yatai_client(running.address).repository.list()
    _, reader = running.registry.tokens.create(LOCAL, "reader", ["read"])
    _, writer = running.registry.tokens.create(LOCAL, "writer", ["write"])
    monkeypatch.setenv("BENTOML_YATAI_ACCESS_TOKEN", reader)
    assert get_yatai_client(running.address).repository.list() == []
    with pytest.raises(PermissionDenied, match="'write'"):
        get_yatai_client(running.address).repository.push("Iris:1")
    monkeypatch.setenv("BENTOML_YATAI_ACCESS_TOKEN", writer)
    get_yatai_client(running.address).repository.push("Iris:1")
    assert running.registry.bundles.find("Iris", "1").created_by == "writer"


def test_bundle_that_changed_on_the_server_is_not_pulled(
    client: YataiClient, server: Running, add: Add, local: LocalRepository
) -> None:
    """P12 and P20: damage on the server's disk is found on the way."""
    record = add("Iris", "1")
    model = Path(record.uri) / "Iris/artifacts/model.pkl"
    model.write_bytes(b"WEIGHTS")
    with pytest.raises(BundleCorrupted, match=r"model\.pkl"):
        client.repository.pull("Iris:1")
    assert local.list() == []


def test_server_hides_its_directories(server: Running, client: YataiClient, add: Add) -> None:
    """P15: a message for a client names no path of the server."""
    record = add("Iris", "1")
    Path(record.uri).rename(Path(record.uri).with_name("gone"))
    with pytest.raises(BentoMLException) as failure:
        list(RpcClient(server.address, load_settings().yatai).fetch("FetchBento", bento=_reference("Iris:1")))
    assert str(server.settings.yatai.repository_directory or "home/repository") not in str(failure.value)


def _reference(tag: str) -> dict[str, str]:
    parsed = Tag.parse(tag)
    return {"name": parsed.name, "version": parsed.version}
