"""`/api/*` of 0.13's web server: the same paths, messages as JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from bentoml.yatai.access import LOCAL
from bentoml.yatai.db.deployments import Deployment
from tests.yatai.conftest import Running

from .conftest import Add, Site


def post(site: Site, path: str, values: Any, **headers: str) -> httpx.Response:
    return site.client.post(f"/api/{path}", json=values, headers=headers)


def test_bundles_are_listed_got_and_deleted(site: Site, add: Add) -> None:
    for version in ("1", "2"):
        add("Iris", version, {"stage": "prod"})
    add("Zebra", "1")
    found = site.json("/api/ListBento?limit=5&offset=0&bento_name=Iris")
    assert found["status"] == {}  # as 0.13 says "OK"
    assert [bento["version"] for bento in found["bentos"]] == ["2", "1"]
    assert len(site.json("/api/ListBento?limit=1")["bentos"]) == 1
    oldest = site.json("/api/ListBento?order_by=name&ascending_order=true")["bentos"][0]
    assert (oldest["name"], oldest["uri"]["type"]) == ("Iris", "LOCAL")
    bento = site.json("/api/GetBento?bento_name=Iris&bento_version=latest")["bento"]
    metadata = bento["bento_service_metadata"]
    assert (bento["version"], metadata["labels"]) == ("2", {"stage": "prod"})
    assert int(metadata["created_at"]["seconds"]) > 10**9
    answer = post(site, "DeleteBento", {"bento_name": "Iris", "bento_version": "2"})
    assert answer.json()["status"] == {}
    again = post(site, "DeleteBento", {"bento_name": "Iris", "bento_version": "2"})
    assert (again.status_code, "2" in again.json()["error"]) == (400, True)


def test_deployments_are_listed_and_got(site: Site, server: Running, add: Add) -> None:
    add("Iris", "1")
    spec = {"bento_name": "Iris", "bento_version": "1", "operator": "local", "config": {"workers": 2}}
    server.registry.deployments.save(LOCAL, Deployment("dev", "iris", spec, {"state": "RUNNING"}))
    [found] = site.json("/api/ListDeployments?limit=5&namespace=dev")["deployments"]
    assert (found["state"]["state"], found["spec"]["operator"]) == ("RUNNING", "CUSTOM")
    assert found["spec"]["custom_operator_config"] == {
        "name": "local",
        "config": {"fields": {"workers": {"numberValue": 2}}},
    }
    assert site.json("/api/ListDeployments?namespace=__BENTOML_ALL_NAMESPACE")["deployments"] == [found]
    assert site.json("/api/GetDeployment?deployment_name=iris&namespace=dev")["deployment"] == found
    wrong = {"deployment": {"name": "iris-two", "spec": {**found["spec"], "bento_version": "9"}}}
    assert "is not found" in post(site, "ApplyDeployment", wrong).json()["error"]
    gone = post(site, "DeleteDeployment", {"deployment_name": "iris", "namespace": "dev"})
    assert gone.json()["status"] == {}
    missing = site.client.get("/api/GetDeployment?deployment_name=iris&namespace=dev")
    assert (missing.status_code, missing.json()["code"]) == (400, "NOT_FOUND")


@pytest.mark.parametrize(
    "path",
    ["ListBento?limit=many", "ListBento?colour=red", "GetBento?bento_name=../x", "ListBento?order_by=up"],
)
def test_wrong_queries_are_explained(site: Site, path: str) -> None:
    answer = site.client.get(f"/api/{path}")
    assert answer.status_code == 400
    assert isinstance(answer.json()["error"], str) and "Traceback" not in answer.text


def test_wrong_bodies_are_explained(site: Site) -> None:
    headers = {"content-type": "application/json"}
    for body in (b"", b"[]", b"{", b"[" * 100_000, b'{"x": 1}', b" " * (1 << 20) + b"{}  "):
        answer = site.client.post("/api/DeleteBento", content=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_ARGUMENT"), body[:10]


def test_P10_other_sites_and_readers_change_nothing(start: Callable[..., Running], add: Add) -> None:
    add("Iris", "1")
    server = start(auth_required=True)
    site, values = Site(server.url), {"bento_name": "Iris", "bento_version": "1"}
    assert post(site, "DeleteBento", values).status_code == 401
    assert site.client.get("/api/ListBento").status_code == 401
    _, reader = server.registry.tokens.create(LOCAL, "reader", ["read"])
    assert post(site, "DeleteBento", values, authorization=f"Bearer {reader}").status_code == 403
    _, writer = server.registry.tokens.create(LOCAL, "writer", ["write"])
    site.send("/login", "/login", token=writer, next="/")  # a browser with a session
    form = {"content-type": "text/plain"}
    assert site.client.post("/api/DeleteBento", content=b"{}", headers=form).status_code == 400
    assert post(site, "DeleteBento", values, origin="http://evil.example").status_code == 403
    assert server.registry.bundles.find("Iris", "1")
    assert post(site, "DeleteBento", values).status_code == 200
    site.client.close()
