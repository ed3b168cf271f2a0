"""The server from outside: the wire, the pages, both status conventions, hostile input (B104, P10)."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from bentoml.repository.base import BundleRecord
from bentoml.rpc.bundles import record_of
from bentoml.yatai.access import LOCAL

from .conftest import Running
from .wire import NEW, Wire

Add = Callable[..., BundleRecord]


def code_of(failure: pytest.ExceptionInfo[grpc.RpcError]) -> str:
    name: str = failure.value.code().name
    return name


def test_list_get_and_delete_over_the_wire(old_wire: Wire, add: Add) -> None:
    add("Iris", "1", {"env": "prod"})
    add("Iris", "2")
    listed = old_wire.call("ListBento", bento_name="Iris")
    assert [record_of(bento).tag for bento in listed["bentos"]] == ["Iris:2", "Iris:1"]
    got = old_wire.call("GetBento", bento_name="Iris", bento_version="LATEST")
    assert (got["status"]["status_code"], got["bento"]["version"]) == (0, "2")
    assert old_wire.call("DangerouslyDeleteBento", bento_name="Iris", bento_version="2")["status"] == {
        "status_code": 0,
        "error_message": "",
    }
    again = old_wire.call("DangerouslyDeleteBento", bento_name="Iris", bento_version="2")["status"]
    assert again["status_code"] == 10
    assert "already been deleted" in again["error_message"]


def test_listing_shows_a_change_at_once(old_wire: Wire, add: Add, server: Running) -> None:
    record = add("Iris", "1")
    assert record_of(old_wire.call("ListBento")["bentos"][0]).labels == {}
    server.registry.bundles.update_labels(LOCAL, record, {"env": "prod"})
    assert record_of(old_wire.call("ListBento")["bentos"][0]).labels == {"env": "prod"}


def test_errors_are_in_band_for_old_clients_and_statuses_for_new_ones(old_wire: Wire, wire: Wire) -> None:
    answer = old_wire.call("GetBento", bento_name="Nope", bento_version="1")
    assert (answer["status"]["status_code"], answer["status"]["error_message"]) == (
        5,
        "BentoService `Nope:1` is not found",
    )
    with pytest.raises(grpc.RpcError) as failure:
        wire.call("GetBento", bento_name="Nope", bento_version="1")
    assert code_of(failure) == "NOT_FOUND"
    with pytest.raises(grpc.RpcError) as failure:
        old_wire.call("FindBento", name="Nope", version="1")
    assert code_of(failure) == "NOT_FOUND"


def test_B104_garbage_unknown_methods_and_large_messages(wire: Wire) -> None:
    with pytest.raises(grpc.RpcError) as failure:
        wire.raw("/bentoml.Yatai/GetBento", b"\xff\xff\xff\xff")
    assert code_of(failure) == "INVALID_ARGUMENT"
    for path in ("/bentoml.Yatai/Nothing", "/other.Service/GetBento"):
        with pytest.raises(grpc.RpcError) as failure:
            wire.raw(path, b"")
        assert code_of(failure) == "UNIMPLEMENTED"
    with pytest.raises(grpc.RpcError) as failure:
        wire.raw("/bentoml.Yatai/GetBento", b"x" * (5 << 20))
    assert code_of(failure) == "RESOURCE_EXHAUSTED"
    assert wire.call("HealthCheck")["status"]["status_code"] == 0


def test_alias_moves_whatever_it_was_unless_the_call_names_where_it_has_to_be(wire: Wire, add: Add) -> None:
    for version in ("1", "2"):
        add("Iris", version)
        moved = wire.call("SetAlias", name="Iris", alias="prod", version=version)
        assert moved["alias"]["version"] == version
    with pytest.raises(grpc.RpcError) as failure:
        wire.call("SetAlias", name="Iris", alias="prod", version="1", expected_version="")
    assert code_of(failure) == "FAILED_PRECONDITION"


def test_health_and_reflection(server: Running) -> None:
    with grpc.insecure_channel(server.address) as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=30)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        names = set(ProtoReflectionDescriptorDatabase(channel).get_services())
    assert {"bentoml.Yatai", "grpc.health.v1.Health"} <= names


@pytest.mark.parametrize("key", ["access_token", "authorization"])
def test_P10_calls_need_a_token_with_the_right_scope(start: Callable[..., Running], key: str) -> None:
    running = start(auth_required=True)
    _, reader = running.registry.tokens.create(LOCAL, "reader", ["read"])
    shown = f"Bearer {reader}" if key == "authorization" else reader
    for metadata in ((), ((key, "wrong"),), ((key, "None"),)):
        client = Wire(running.server.grpc_port, (*NEW, *metadata))
        with pytest.raises(grpc.RpcError) as failure:
            client.call("ListBento")
        assert code_of(failure) == "UNAUTHENTICATED"
        assert client.call("HealthCheck")["status"]["status_code"] == 0
    client = Wire(running.server.grpc_port, (*NEW, (key, shown)))
    assert client.call("ListBento")["bentos"] == []
    assert client.call("WhoAmI") == {"name": "reader", "scopes": ["read"]}
    for name, fields in (
        ("AddBento", {"bento_name": "A", "bento_version": "1"}),
        ("DangerouslyDeleteBento", {"bento_name": "A", "bento_version": "1"}),
        ("BeginUpload", {"name": "A", "version": "1", "size_bytes": 1, "sha256": "0" * 64}),
        ("SetAlias", {"name": "A", "alias": "prod", "version": "1"}),
        ("CreateToken", {"name": "other", "scopes": ["admin"]}),
        ("DeleteDeployment", {"deployment_name": "abcd"}),
        ("PruneBentos", {"keep_last": 1}),
        ("SetRetention", {"keep_last": 1}),
        ("RemoveRetention", {}),
        ("ApplyRetention", {"dry_run": True}),
    ):
        with pytest.raises(grpc.RpcError) as failure:
            client.call(name, **fields)
        assert code_of(failure) == "PERMISSION_DENIED", name
    running.registry.tokens.revoke(LOCAL, "reader")
    with pytest.raises(grpc.RpcError) as failure:
        client.call("ListBento")
    assert code_of(failure) == "UNAUTHENTICATED"


def test_pages_answer_and_refuse_foreign_hosts(server: Running, add: Add) -> None:
    add("Iris", "1")
    for path in ("/healthz", "/readyz", "/metrics", "/", "/repository.json"):
        with urllib.request.urlopen(server.url + path, timeout=30) as answer:
            assert answer.status == 200
            assert answer.headers["x-content-type-options"] == "nosniff"
    request = urllib.request.Request(server.url + "/", headers={"Host": "evil.example"})
    with pytest.raises(urllib.error.HTTPError) as failure:
        urllib.request.urlopen(request, timeout=30)
    assert failure.value.code == 403


def test_metrics_count_calls_under_the_names_of_013(server: Running, wire: Wire) -> None:
    wire.call("ListBento")
    with urllib.request.urlopen(server.url + "/metrics", timeout=30) as answer:
        text = answer.read().decode()
    assert 'YATAI_grpc_server_started_total{grpc_method="ListBento"' in text
    assert 'grpc_code="OK"' in text
