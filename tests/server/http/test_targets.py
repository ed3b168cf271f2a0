"""Methods, targets and the other endpoints (B20, B21, B101-B103)."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from tests.server.live.process import ServerProcess, serving, until
from tests.server.live.wire import (
    JSON,
    Answer,
    Wire,
    ask,
    get,
    post,
    raw,
    request,
    steady_requests,
    still_serves,
)

pytestmark = [pytest.mark.xdist_group("http"), pytest.mark.timeout(120)]

PAGES = ("/", "/metrics", "/healthz", "/livez", "/readyz", "/docs", "/docs.json", "/metadata")


@pytest.fixture(params=["/echo", "/echo1"], ids=["batched", "single"])
def route(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def executions(server: ServerProcess) -> int:
    return len(server.executions("echo") + server.executions("echo1"))


def test_B20_methods(server: ServerProcess, port: int, route: str) -> None:
    before = executions(server)
    for method in ("PUT", "DELETE", "PATCH", "TRACE"):
        answer = ask(port, request(route, b"1", method, JSON))
        assert answer.status == 405, method
        assert set(answer.headers["allow"].split(", ")) == {"POST", "GET"}
    with Wire(port) as wire:
        assert wire.send(request(route, None, "HEAD")).answer(to_head=True).status == 405
        assert wire.send(request(route, None, "OPTIONS")).answer().headers["allow"].split(", ")[:2] == [
            "GET",
            "POST",
        ]
    for method, statuses in (("FOO", {501}), ("post", {400, 501}), ("P@ST", {400})):
        assert ask(port, request(route, b"1", method, JSON)).status in statuses
    assert ask(port, raw("CONNECT localhost:80 HTTP/1.1", "Host: localhost")).status in (400, 405, 501)
    assert executions(server) == before


def test_B20_GET_runs_it_as_in_013(port: int, route: str) -> None:
    assert ask(port, request(route, b"[1]", "GET", JSON)).json() == [1]
    assert ask(port, request("/file", b"x", "GET")).status == 405


@pytest.mark.parametrize(
    "target",
    [
        "/../echo",
        "/%2e%2e/echo",
        "/..%2fecho",
        "/static_content/../../echo",
        "/static_content/%2e%2e/%2e%2e/etc/passwd",
        "/static_content/..%2f..%2fmain.css",
        "/a//b",
        "//echo",
        "/echo/",
        "/echo%00",
        "/echo%0d%0aX:1",
        "/%ff",
        "/%",
        "/%zz",
        "/Echo",
        "*",
        "echo",
        "?x",
        "/ech\xf6",
        "http://",
        "http:///echo/x",
        "/\\echo",
    ],
)
def test_B21_odd_targets(server: ServerProcess, port: int, target: str) -> None:
    before = executions(server)
    for method in ("POST", "GET"):
        answer = ask(port, request(target, b"1", method, JSON))
        assert answer.status in (400, 404, 405), (target, answer)
        assert b"Traceback" not in answer.body
    assert executions(server) == before


def test_B21_forms_of_a_route(port: int, route: str) -> None:
    for target in (f"http://h{route}", f"{route}?a=b", f"{route}?", f"http://localhost:1/{route[1:]}?x"):
        assert ask(port, request(target, b"[7]", headers=JSON)).body == b"[7]", target
    for bare in ("http://h", "http://h?x=1", "HTTP://h:80"):  # the page /
        assert ask(port, request(bare, None, "GET")).status == 200, bare
    percent = "/%65" + route[2:]
    assert ask(port, request(percent, b"[7]", headers=JSON)).status in (200, 404)


def test_B101_feedback(server: ServerProcess, port: int) -> None:
    assert post(port, "/feedback", body=b"not json").status == 400
    assert post(port, "/feedback", body=b"[]").status == 400
    assert post(port, "/feedback", {"a": 1}).status == 400
    assert post(port, "/feedback", body=b'{"request_id": "' + b"x" * (20 << 20)).status == 413
    odd = {"request_id": "r1", "text": "one\ntwo\r\n\x1b[31mred\u2028end"}
    assert post(port, "/feedback", odd).status == 200
    log = server.folder / "home" / "logs" / "feedback.log"
    lines = until(lambda: log.read_bytes().splitlines() if log.exists() else [])
    assert len(lines) == 1
    assert b"\x1b" not in lines[0]
    assert json.loads(lines[0])["text"] == odd["text"]


def test_B102_pages(port: int) -> None:
    for page in PAGES:
        assert get(port, page, {"Accept": "image/png;q=x, */*;q=0"}).status == 200, page
        answer = ask(port, request(page, b"x" * 1000))
        assert answer.status == 405, page
        assert "GET" in answer.headers["allow"]
        head = Wire(port).send(request(page, None, "HEAD")).answer(to_head=True)
        assert head.status == 200
        assert ask(port, request(page, b"body", "GET")).status == 200
    assert get(port, "/nowhere").status == 404


def test_B102_a_thousand_at_once(port: int) -> None:
    answers: list[Answer] = []

    def many(page: str) -> None:
        with Wire(port) as wire:
            for _ in range(25):
                answers.append(wire.send(request(page, None, "GET")).answer())

    with steady_requests(port) as took:
        threads = [threading.Thread(target=many, args=(PAGES[1 + i % 7],)) for i in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        until(lambda: len(took) > 1)
    assert len(answers) == 1000
    assert {a.status for a in answers} == {200}


def test_B103_no_cors_unless_it_is_on(port: int, route: str) -> None:
    preflight = {
        "Origin": "https://evil.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-a, " + "y" * 1000,
    }
    for answer in (
        ask(port, request(route, None, "OPTIONS", preflight)),
        post(port, route, 1, {"Origin": "https://evil.example"}),
        post(port, route, 1, {"Origin": "null"}),
        get(port, "/metadata", {"Origin": "null"}),
    ):
        assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_B103_cors_for_one_origin(probe_bundle: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.yml"
    config.write_text(
        "bento_server:\n  cors:\n    enabled: true\n"
        "    access_control_allow_origin: https://good.example\n"
        "    access_control_allow_credentials: true\n    access_control_allow_methods: [POST]\n"
    )
    with serving(probe_bundle, tmp_path / "s", env={"BENTOML_CONFIG": str(config)}) as server:
        for route in ("/echo", "/echo1"):
            good = post(server.port, route, 5, {"Origin": "https://good.example"})
            assert (good.status, good.body) == (200, b"5")
            assert good.headers["access-control-allow-origin"] == "https://good.example"
            for origin in (
                "https://evil.example",
                "null",
                "https://good.example.evil",
                "HTTPS://good.example/",
            ):
                answer = post(server.port, route, 5, {"Origin": origin})
                assert answer.body == b"5"
                assert not [n for n in answer.headers if n.startswith("access-control-")]
                ask_first = {"Origin": origin, "Access-Control-Request-Method": "POST"}
                refusal = ask(server.port, request(route, None, "OPTIONS", ask_first))
                assert refusal.status == 403
                assert not [n for n in refusal.headers if n.startswith("access-control-")]
        # Equal heads with another origin must not be answered from memory.
        with Wire(server.port) as wire:
            for _ in range(4):
                assert wire.send(request("/echo", b"1", headers=JSON)).answer().status == 200
            marked = wire.send(
                request("/echo", b"1", headers={**JSON, "Origin": "https://good.example"})
            ).answer()
            assert marked.headers["access-control-allow-origin"] == "https://good.example"
        still_serves(server.port)
        assert server.stop() == 0
