"""Deployments through the pages: created, changed, restarted and deleted, with a real service behind them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bentoml.bundle.descriptor import read_descriptor
from bentoml.deploy.base import Counters
from bentoml.tags import Tag
from bentoml.yatai.access import LOCAL
from bentoml.yatai.db.deployments import Deployment
from bentoml.yatai.history import History
from bentoml.yatai.watch import Watch
from bentoml.yatai.web.charts import charts, table
from tests.deploy.conftest import end_keepers
from tests.server.live.process import is_running, save_probe, until
from tests.yatai.conftest import Running, tar_of

from .conftest import Add, Site


@pytest.fixture(scope="session")
def probe_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_probe(tmp_path_factory.mktemp("probe"))


@pytest.fixture
def db_url() -> None:
    """Operators see no difference between databases: SQLite only."""


@pytest.fixture
def tag(server: Running, probe_bundle: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The probe, in the registry."""
    monkeypatch.setenv("PROBE_LOG", str(home / "probe.log"))
    version = read_descriptor(probe_bundle).version
    server.registry.uploads.receive_whole(LOCAL, Tag("Probe", version), [tar_of(probe_bundle)])
    yield f"Probe:{version}"
    end_keepers(home / "deployments")


def test_a_service_is_deployed_changed_restarted_and_deleted(site: Site, server: Running, tag: str) -> None:
    watch = Watch(server.registry, server.server.history)
    page, form = "/deployments/dev/iris", f"/deploy?preview=1&name=iris&bento={tag}"
    wanted = {"name": "iris", "namespace": "dev", "bento": tag, "config": "grace_s: 5", "operator": "local"}

    def running(revision: int) -> dict[str, object] | None:
        watch.look()
        found = site.json(f"{page}.json")["deployment"]
        info: dict[str, object] = found["info"]
        is_it = found["state"] == "RUNNING" and info.get("serving_revision") == revision
        return info if is_it else None

    seen = site.get("/deploy?preview=1&" + "&".join(f"{key}={value}" for key, value in wanted.items()))
    assert f"start {tag}" in seen
    assert site.json("/deployments.json")["deployments"] == []
    assert "iris is starting" in site.send(form, "/deploy", **wanted, labels="team=flowers").text
    first = until(lambda: running(1), 90, "the service")
    watch.look()
    data = site.json(f"{page}.json")
    assert data["deployment"]["labels"] == {"team": "flowers"}
    assert data["history"][-1]["memory_bytes"] > 1 << 20
    assert any("curl" in call for call in data["calls"])
    assert "keeper: revision 1 serves" in site.get(f"{page}/log")
    assert any("revision 1 serves" in line for line in site.json(f"{page}/log.json?lines=50")["lines"])
    changed = {**wanted, "config": "grace_s: 5\nworkers: 2", "labels": "team=flowers"}
    assert site.json(f"/deploy.json?preview=1&name=iris&config=workers:%202&bento={tag}")["plan"][
        "changes"
    ] == [
        "grace_s: 5 → None",
        "workers: None → 2",
    ]
    assert "is being changed" in site.send(form, "/deploy", **changed).text
    until(lambda: running(2), 90, "the changed service")
    assert "is starting anew" in site.send(f"{page}/restart", f"{page}/restart").text
    last = until(lambda: running(3), 90, "the restarted service")
    assert last and first and last["process"] != first["process"]
    assert "has ended and is deleted" in site.send(f"{page}/delete", f"{page}/delete").text
    assert not is_running(int(str(last["process"])))
    assert site.client.get(page).status_code == 404
    actions = [event["action"] for event in site.json("/activity.json?resource=dev/iris")["events"]]
    assert actions == ["deployment.delete", "deployment.restart", "deployment.update", "deployment.create"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"bento": ""}, "Choose what to run"),
        ({"bento": "Iris"}, "in the format of name:version"),
        ({"bento": "Iris:9"}, "is not found"),
        ({"bento": "Iris:latest"}, "cannot be &#39;latest&#39;"),
        ({"bento": "Iris:1", "name": "x"}, "is no deployment name"),
        ({"bento": "Iris:1", "config": "worker: 2"}, "Did you mean &#39;workers&#39;"),
        ({"bento": "Iris:1", "config": "- a"}, "Write one option a line"),
        ({"bento": "Iris:1", "config": "a: ["}, "are no YAML"),
        ({"bento": "Iris:1", "labels": "flowers"}, "is no label"),
        ({"bento": "Iris:1", "operator": "moon"}, "is no operator"),
        ({"bento": "Iris:1", "operator": "lambda"}, "Supported are the operators"),
    ],
)
def test_mistakes_in_the_form_are_shown_beside_it(
    site: Site, add: Add, fields: dict[str, str], message: str
) -> None:
    add("Iris", "1")
    asked = {"preview": "1", "name": "iris", "namespace": "dev", **fields}
    preview = site.client.get("/deploy", params=asked)
    assert preview.status_code == 200 and message in preview.text
    sent = site.send("/deploy?preview=1&name=iris&bento=Iris:1", "/deploy", **asked, back="/deploy")
    assert sent.url.path == "/deploy" and message in sent.text
    assert site.json("/deployments.json")["deployments"] == []


def test_who_may_only_read_changes_nothing(start: Callable[..., Running], add: Add) -> None:
    add("Iris", "1")
    server = start(auth_required=True)
    spec = {"bento_name": "Iris", "bento_version": "1", "operator": "local", "config": {}}
    server.registry.deployments.save(LOCAL, Deployment("dev", "iris", spec, {"state": "RUNNING"}))
    _, secret = server.registry.tokens.create(LOCAL, "reader", ["read", "write"])
    site = Site(server.url)
    site.send("/login", "/login", token=secret, next="/")
    page = site.get("/deployments/dev/iris")
    assert "/restart" not in page and "/delete" not in page and "/deploy?" not in page
    assert "New deployment" not in site.get("/deployments")
    for path in ("/deploy", "/deployments/dev/iris/delete", "/deployments/dev/iris/restart"):
        assert site.client.get(path).status_code == 403
        assert site.send("/repository", path).status_code == 403
    site.client.close()


def test_forms_of_another_site_are_refused(site: Site, server: Running, add: Add) -> None:
    add("Iris", "1")
    spec = {"bento_name": "Iris", "bento_version": "1", "operator": "local", "config": {}}
    server.registry.deployments.save(LOCAL, Deployment("dev", "iris", spec, {"state": "RUNNING"}))
    for path in ("/deploy", "/deployments/dev/iris/delete", "/deployments/dev/iris/restart"):
        assert site.client.post(path, data={"csrf": "guess"}).status_code == 403
    assert site.json("/deployments/dev/iris.json")


def test_empty_lists_show_the_next_command(site: Site) -> None:
    assert "bentoml deployment create NAME --operator local" in site.get("/deployments")
    assert "bentoml deployment create NAME --bento" in site.get("/")
    assert "No deployment has these labels" in site.get("/deployments?labels=team%3Dnone")


def test_deployments_left_by_013_are_shown(site: Site, server: Running) -> None:
    spec = {"bento_name": "Iris", "bento_version": "1", "operator": "aws-lambda", "config": {"region": "x"}}
    state = {"state": "RUNNING", "info": {"endpoints": ["https://x.example/predict"], "s3_bucket": "b"}}
    server.registry.deployments.save(LOCAL, Deployment("dev", "cloud", spec, state))
    assert "https://x.example/predict" in site.get("/deployments/dev/cloud")
    assert "Supported are the operators" in site.get("/deployments/dev/cloud/log")


def test_pages_about_deployments_live_below_a_prefix(start: Callable[..., Running], add: Add) -> None:
    add("Iris", "1")
    server = start(web_prefix_path="/team/yatai")
    spec = {"bento_name": "Iris", "bento_version": "1", "operator": "local", "config": {}}
    server.registry.deployments.save(LOCAL, Deployment("dev", "iris", spec, {"state": "RUNNING"}))
    site = Site(server.url)
    for path in ("/deployments", "/deployments/dev/iris", "/deployments/dev/iris/log", "/deploy"):
        text = site.get(f"/team/yatai{path}")
        for address in re.findall(r'(?:href|src|action|hx-get)="(/[^"]*)"', text):
            assert address.startswith("/team/yatai/"), (path, address)
    site.client.close()


def test_figures_are_rates_quantiles_and_gaps() -> None:
    history = History()
    history.add("a", 0.0, Counters())
    history.add("a", 10.0, Counters(100, 10, 5.0, buckets=((0.1, 90.0), (float("inf"), 100.0)), cpu_s=1.0))
    history.add("a", 20.0, Counters(40, 0, 2.0, buckets=((0.1, 40.0), (float("inf"), 40.0)), cpu_s=0.5))
    first, again = history.of("a")
    assert (first.requests_per_s, first.errors_per_s, first.mean_latency_ms) == (10.0, 1.0, 50.0)
    assert first.p50_ms == pytest.approx(100 * 50 / 90)
    assert first.p99_ms == 100.0  # beyond the last bound it is at least that
    assert first.cpu_cores is None
    assert (again.requests_per_s, again.cpu_cores) == (4.0, None)  # another process: counted from zero


def test_charts_draw_gaps_and_no_numbers_as_such() -> None:
    base = {"errors_per_s": 0.0, "p50_ms": None, "p99_ms": None, "cpu_cores": None, "memory_bytes": None}
    rows = [{"at": at, "requests_per_s": 3.0, **base} for at in (1000.0, 1005.0, 1100.0)]
    requests, latency, _, _ = charts(rows, 15)
    assert requests.lines[0].path.count("M") == 2
    assert requests.ticks == ("5/s", "2.5/s", "0")
    assert latency.lines[0].path == "" and latency.lines[0].latest == "–"
    assert "answers 3/s" in requests.summary
    assert charts([], 15) == [] and table([], 15) == []
    many = [{"at": float(at), "requests_per_s": 1.0, **base} for at in range(0, 3600, 5)]
    assert len(table(many, 60)) <= 31
    many[100]["errors_per_s"] = 4.0  # is not thinned away
    first = charts(many, 60)[0]
    assert first.lines[0].path.count("L") == 239
    assert first.ticks[0] == "5/s"
