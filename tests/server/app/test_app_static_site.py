"""A service's own web pages: served from an index, and nothing outside of it (A14)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from bentoml.server.app import build_app

SECRET = "top secret"


@pytest.fixture
def site(bundle: Path, tmp_path: Path, make_state) -> TestClient:
    copy = tmp_path / "bundle"
    shutil.copytree(bundle, copy)
    folder = copy / "Sample" / "web_static_content"
    (folder / "sub").mkdir(parents=True)
    (folder / "index.html").write_text("<h1>front</h1>")
    (folder / "app.js").write_text("let a = 1;")
    (folder / "big.bin").write_bytes(b"z" * 700_000)
    (folder / "sub" / "index.html").write_text("<h1>sub</h1>")
    (folder / "healthz").write_text("not me")
    (copy / "Sample" / "secret.txt").write_text(SECRET)
    (tmp_path / "outside.txt").write_text(SECRET)
    (folder / "link.txt").symlink_to(tmp_path / "outside.txt")
    (folder / "linked").symlink_to(tmp_path)
    state = make_state()
    state.bundle_path = copy
    return TestClient(build_app(state))


@pytest.mark.parametrize(
    ("path", "content", "media_type"),
    [
        ("/", b"<h1>front</h1>", "text/html; charset=utf-8"),
        ("/index.html", b"<h1>front</h1>", "text/html; charset=utf-8"),
        ("/index", b"<h1>front</h1>", "text/html; charset=utf-8"),
        ("/sub", b"<h1>sub</h1>", "text/html; charset=utf-8"),
        ("/sub/", b"<h1>sub</h1>", "text/html; charset=utf-8"),
        ("/sub/index", b"<h1>sub</h1>", "text/html; charset=utf-8"),
        ("/app.js", b"let a = 1;", "text/javascript; charset=utf-8"),
        ("/big.bin", b"z" * 700_000, "application/octet-stream"),
    ],
)
def test_files_and_folders(site: TestClient, path: str, content: bytes, media_type: str) -> None:
    answer = site.get(path)
    assert (answer.status_code, answer.content) == (200, content)
    assert answer.headers["content-type"] == media_type
    assert answer.headers["x-content-type-options"] == "nosniff"
    head = site.head(path)
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(content)))
    again = site.get(path, headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


def test_the_servers_own_paths_and_predictions_come_first(site: TestClient) -> None:
    assert site.get("/healthz").text == "\n"
    assert site.post("/predict", json=[2]).json() == 2
    assert site.get("/docs").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/sub/../../secret.txt",
        "/sub/%2e%2e/%2e%2e/secret.txt",
        "/..%5csecret.txt",
        "/%252e%252e/secret.txt",
        "/link.txt",
        "/linked/outside.txt",
        "http://testserver//secret.txt",
        "/%2e/app.js",
        "/app.js%00.html",
        "/sub//index.html",
        "/~",
        "/etc/passwd",
        "/file:///etc/passwd",
    ],
)
def test_B21_traversal_finds_nothing(site: TestClient, path: str) -> None:
    answer = site.get(path)
    assert answer.status_code == 404
    assert SECRET not in answer.text


def test_wrong_methods_and_ranges(site: TestClient) -> None:
    answer = site.post("/app.js")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    answer = site.get("/app.js", headers={"Range": "bytes=" + ",".join(["0-1"] * 2000)})
    assert (answer.status_code, answer.content) == (200, b"let a = 1;")


def test_a_file_that_vanished_is_404(site: TestClient, tmp_path: Path) -> None:
    assert site.get("/app.js").status_code == 200
    (tmp_path / "bundle" / "Sample" / "web_static_content" / "app.js").unlink()
    assert site.get("/app.js").status_code == 404
