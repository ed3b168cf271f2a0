"""Who may see and change what: login, sessions, forged requests (P10, P19)."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from bentoml.yatai.access import LOCAL
from tests.yatai.conftest import Running

from .conftest import Add, Site

Start = Callable[..., Running]


@pytest.fixture
def guarded(start: Start, add: Add) -> Running:
    add("Iris", "1")
    return start(auth_required=True)


def log_in(server: Running, name: str, scopes: list[str]) -> Site:
    _, secret = server.registry.tokens.create(LOCAL, name, scopes)
    site = Site(server.url)
    answer = site.send("/login", "/login", token=secret, next="/repository")
    assert answer.url.path == "/repository"
    assert secret not in str(site.client.cookies)
    return site


def test_pages_lead_to_the_login_and_back(guarded: Running) -> None:
    site = Site(guarded.url)
    answer = site.client.get("/repository/Iris/1")
    assert (answer.url.path, answer.url.query) == ("/login", b"next=/repository/Iris/1")
    assert "Iris" not in answer.text.replace("next=/repository/Iris/1", "").replace(
        'value="/repository/Iris/1"', ""
    )
    twin = site.client.get("/repository.json")
    assert (twin.status_code, twin.json()["error"]["code"]) == (401, "UNAUTHENTICATED")
    wrong = site.send("/login", "/login", token="ybt_wrong", next="/")
    assert wrong.status_code == 401
    assert "unknown, expired or revoked" in wrong.text
    again = site.send("/login", "/login", token="ybt_wrong", next="/repository/Iris/1")
    assert 'name="next" value="/repository/Iris/1"' in again.text
    searched = site.client.get("/repository?search=a&labels=b%3Dc")
    assert 'value="/repository?search=a&amp;labels=b%3Dc"' in searched.text
    assert site.client.post("/repository/Iris/1/delete").url.query == b"next=/"


def test_reader_reads_and_changes_nothing(guarded: Running) -> None:
    site = log_in(guarded, "reader", ["read"])
    page = site.get("/repository/Iris/1")
    assert "/delete" not in page
    for path in ("/repository/Iris/1/delete", "/repository/Iris/1/note", "/tokens/create"):
        assert site.send("/repository", path).status_code == 403, path
    assert site.client.get("/tokens").status_code == 403


def test_revoked_token_ends_its_sessions(guarded: Running) -> None:
    site = log_in(guarded, "writer", ["write"])
    guarded.registry.tokens.revoke(LOCAL, "writer")
    assert site.client.get("/repository").url.path == "/login"


def test_logging_out_ends_the_session(guarded: Running) -> None:
    site = log_in(guarded, "writer", ["write"])
    assert site.send("/repository", "/logout").url.path == "/login"
    assert site.client.get("/repository").url.path == "/login"


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/\\evil.example", "/a\r\nX: 1"]
)
def test_login_leads_only_to_pages_of_this_site(guarded: Running, target: str) -> None:
    _, secret = guarded.registry.tokens.create(LOCAL, "somebody", ["read"])
    site = Site(guarded.url)
    site.client.follow_redirects = False
    answer = site.send("/login", "/login", token=secret, next=target)
    assert answer.headers["location"] == "/"


def test_forms_without_the_secret_of_the_session_are_refused(site: Site, add: Add) -> None:
    add("Iris", "1")
    site.get("/")
    for secret in ({}, {"csrf": "x"}):
        answer = site.client.post("/repository/Iris/1/delete", data=secret)
        assert answer.status_code == 403
        assert "comes from another site" in answer.text
    foreign = {"origin": "http://evil.example"}
    assert site.client.post("/repository/Iris/1/delete", headers=foreign).status_code == 403
    assert site.client.get("/", headers={"host": "evil.example"}).status_code == 403
    assert site.json("/repository.json")["total"] == 1


def test_program_with_a_token_needs_no_session(guarded: Running) -> None:
    _, secret = guarded.registry.tokens.create(LOCAL, "ci", ["write"])
    site = Site(guarded.url)
    headers = {"authorization": f"Bearer {secret}"}
    answer = site.client.post("/repository/Iris/1/note", data={"note": "hi"}, headers=headers)
    assert answer.json() == {"location": "/repository/Iris/1"}
    refused = site.client.post("/repository/Iris/1/labels", data={"key": "a b", "value": ""}, headers=headers)
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "INVALID_ARGUMENT"


def test_new_token_is_shown_once(guarded: Running) -> None:
    site = log_in(guarded, "boss", ["admin"])
    shown = site.send("/tokens", "/tokens/create", name="ci", scope_read="on", days="7")
    secret = re.search(r"ybt_[\w-]+", shown.text)
    assert secret
    assert secret[0] not in site.get("/tokens")
    assert guarded.registry.tokens.authenticate(secret[0]).name == "ci"
    assert (
        "Choose what the token may do"
        in site.send("/tokens", "/tokens/create", name="x", back="/tokens").text
    )
    assert "Token ci is revoked" in site.send("/tokens", "/tokens/revoke", name="ci", back="/tokens").text
