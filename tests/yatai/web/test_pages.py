"""Each page and its JSON twin, over a real server."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from bentoml.bundle.layout import BundleLayout
from bentoml.bundle.manifest import write_manifest
from bentoml.bundle.trust.keys import generate_key, load_private_key
from bentoml.bundle.trust.signature import sign_bundle
from bentoml.yatai.access import LOCAL
from bentoml.yatai.db.deployments import Deployment
from bentoml.yatai.web.pages import age, human_bytes
from tests.yatai.conftest import Running

from .conftest import Add, Site


@pytest.mark.parametrize(
    "path", ["/", "/repository", "/deployments", "/activity", "/tokens", "/trash", "/about"]
)
def test_pages_of_an_empty_registry_show_what_to_do_next(site: Site, path: str) -> None:
    text = site.get(path)
    assert "<h1" in text
    twin = site.json("/index.json" if path == "/" else f"{path}.json")
    assert isinstance(twin, dict)


def test_empty_first_page_names_the_command(site: Site) -> None:
    assert "bentoml push NAME:VERSION --yatai-url" in site.get("/")


def test_repository_searches_filters_sorts_and_pages(site: Site, add: Add) -> None:
    for number in range(5):
        add("Iris", f"v{number}", {"stage": "prod" if number % 2 else "dev"})
    add("Zebra", "v1")
    everything = site.json("/repository.json")
    assert (everything["total"], everything["bundles"][0]["tag"]) == (6, "Zebra:v1")
    assert [row["tag"] for row in site.json("/repository.json?search=iris:V3")["bundles"]] == ["Iris:v3"]
    assert site.json("/repository.json?labels=stage%3Dprod")["total"] == 2
    by_name = site.json("/repository.json?order_by=name&ascending=1")
    assert by_name["bundles"][0]["name"] == "Iris"
    second = site.json("/repository.json?limit=4&offset=4")
    assert (second["first"], second["last"], second["previous_offset"], second["next_offset"]) == (
        5,
        6,
        0,
        None,
    )
    first_page = site.get("/repository?limit=4&search=v")
    assert "1–4 of 6" in first_page
    assert 'rel="next"' in first_page
    assert "search=v" in first_page.split('rel="next"')[1].split('"')[3]
    assert "No model matches" in site.get("/repository?search=nothing")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/repository?labels=%28%28", 400),
        ("/repository?offset=-1", 400),
        ("/repository?order_by=colour", 400),
        ("/compare?tag=A:1", 400),
        ("/repository/Nope", 404),
        ("/repository/Nope/1", 404),
        ("/deployments/dev/nope", 404),
        ("/nowhere", 404),
    ],
)
def test_mistakes_are_explained_to_people_and_programs(site: Site, path: str, status: int) -> None:
    answer = site.client.get(path)
    assert answer.status_code == status
    assert 'role="alert"' in answer.text
    assert "Traceback" not in answer.text
    before, _, query = path.partition("?")
    twin = site.client.get(f"{before}.json?{query}")
    assert twin.status_code == status
    assert twin.json()["error"]["message"]


def test_bundle_page_shows_contents_and_changes_labels_and_note(site: Site, add: Add) -> None:
    record = add("Iris", "1")
    page = f"/repository/Iris/{record.version}"
    data = site.json(f"{page}.json")
    assert data["bundle"]["tag"] == "Iris:1"
    assert data["contents"]["file_count"] > 0
    assert "Stored at" in site.get(page)
    assert "Label stage=prod set." in site.send(page, f"{page}/labels", key="stage", value="prod").text
    assert site.json(f"{page}.json")["bundle"]["labels"] == {"stage": "prod"}
    refused = site.send(page, f"{page}/labels", key="no spaces", value="x", back=page)
    assert 'class="flash bad"' in refused.text
    site.send(page, f"{page}/labels", remove="stage")
    assert site.json(f"{page}.json")["bundle"]["labels"] == {}
    shown = site.send(page, f"{page}/note", note="For **spring**").text
    assert "<strong>spring</strong>" in shown
    assert [event["action"] for event in site.json("/activity.json?resource=Iris:1")["events"]][:1] == [
        "note.update"
    ]


def test_bundle_page_shows_examples_and_who_signed(
    site: Site, server: Running, add: Add, tmp_path: Path
) -> None:
    record = add("Iris", "1")
    assert "<dt>Signed</dt><dd>no</dd>" in site.get("/repository/Iris/1")
    directory = Path(record.uri)
    example = {
        "api": "predict",
        "request": {"head": "", "text": "[[1, 2]]"},
        "answer": {"status": 200, "content_type": "application/json", "headers": [], "base64": "AAEC"},
    }
    examples = BundleLayout(directory, "Iris").examples
    examples.write_text(json.dumps({"format": 1, "examples": [example, {"odd": 1}, 7]}))
    write_manifest(directory)
    private, _ = generate_key(tmp_path / "key.pem")
    signature = sign_bundle(directory, load_private_key(private))
    contents = site.json("/repository/Iris/1.json")["contents"]
    assert contents["examples"] == [
        {"api": "predict", "request": "[[1, 2]]", "status": 200, "answer": "3 bytes that are no text"}
    ]
    [signed] = contents["signatures"]
    assert (signed["valid"], signed["key_id"]) == (True, signature.public_key.id[:16])
    text = site.get("/repository/Iris/1")
    assert "[[1, 2]]" in text and signed["key_id"] in text
    (directory / "more.txt").write_text("x")
    write_manifest(directory)
    assert site.json("/repository/Iris/1.json")["contents"]["signatures"][0]["valid"] is False
    (directory / "bundle-signature.json").write_text("{")
    assert site.json("/repository/Iris/1.json")["contents"]["signatures"] == []


def test_alias_moves_rolls_back_and_guards_its_bundle(site: Site, add: Add) -> None:
    for version in ("1", "2"):
        add("Iris", version)
    home = "/repository/Iris"
    for version in ("1", "2"):
        site.send(home, f"{home}/aliases/move", alias="prod", version=version, back=home)
    assert "@prod" in site.get(f"{home}/2")
    refused = site.send(f"{home}/2/delete", f"{home}/2/delete", back=f"{home}/2").text
    assert "points to it" in refused
    assert "is back at 1" in site.send(home, f"{home}/aliases/rollback", alias="prod", back=home).text
    assert site.json(f"{home}.json")["aliases"][0]["version"] == "1"
    assert "is removed" in site.send(home, f"{home}/aliases/remove", alias="prod", back=home).text


def test_deleted_bundle_waits_to_be_restored(site: Site, add: Add) -> None:
    add("Iris", "1")
    page = "/repository/Iris/1"
    assert "Delete Iris:1?" in site.get(f"{page}/delete")
    assert "Iris:1 is deleted" in site.send(f"{page}/delete", f"{page}/delete").text
    assert site.client.get(page).status_code == 404
    assert site.json("/trash.json")["bundles"][0]["tag"] == "Iris:1"
    assert "Iris:1 is back" in site.send("/trash", f"{page}/restore").text
    assert site.json(f"{page}.json")["contents"]["file_count"] > 0


def test_comparison_shows_what_differs(site: Site, add: Add) -> None:
    add("Iris", "1", {"stage": "dev"}, content=b"old weights")
    add("Iris", "2", {"stage": "prod"}, content=b"new weights")
    found = site.json("/compare.json?tag=Iris:1&tag=Iris:2")["result"]
    assert found["labels"]["changed"] == [{"name": "stage", "before": "dev", "after": "prod"}]
    assert found["files"]["changed"]
    assert site.json("/compare.json?first=Iris:1&second=Iris:latest")["second"]["tag"] == "Iris:2"
    assert "prod" in site.get("/compare?tag=Iris:1&tag=Iris:2")


def test_deployments_are_listed_by_namespace(site: Site, server: Running) -> None:
    spec = {"bento_name": "Iris", "bento_version": "1", "operator": "local", "config": {"workers": 2}}
    state = {"state": "RUNNING", "info": {"endpoint": "http://127.0.0.1:5001"}}
    server.registry.deployments.save(LOCAL, Deployment("dev", "iris", spec, state))
    assert site.json("/deployments.json")["active"] == 1
    assert site.json("/deployments/other.json")["deployments"] == []
    text = site.get("/deployments/dev/iris")
    assert 'href="http://127.0.0.1:5001"' in text
    assert "&#34;workers&#34;: 2" in text


def test_pages_live_below_a_prefix(start: Callable[..., Running], add: Add) -> None:
    add("Iris", "1")
    site = Site(start(web_prefix_path="/team/yatai").url)
    text = site.get("/team/yatai/repository/Iris/1")
    assert 'href="/team/yatai/static/yatai.css' in text
    assert 'href="/repository' not in text
    assert site.client.get("/repository").status_code == 404
    assert (
        "Note saved"
        in site.send("/team/yatai/repository/Iris/1", "/team/yatai/repository/Iris/1/note", note="x").text
    )


def test_static_files_come_from_the_package(site: Site) -> None:
    for name in ("yatai.css", "yatai.js", "theme.js", "favicon.svg", "vendor/htmx.min.js"):
        assert site.client.get(f"/static/{name}").status_code == 200, name
    assert site.client.get("/static/../app.py").status_code == 404


def test_ages_and_sizes_read_well() -> None:
    assert age(None) == "–"
    assert age("2000-01-01T00:00:00Z").endswith("years ago")
    assert [human_bytes(n) for n in (None, 0, 1023, 1536, 10**9)] == [
        "–",
        "0 B",
        "1.0 KiB",
        "1.5 KiB",
        "954 MiB",
    ]


def test_head_of_a_page_is_contained(site: Site) -> None:
    answer: httpx.Response = site.client.get("/")
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
