"""The pages people see, their files, and what a hostile service text can do to them (nothing)."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from bentoml.markdown import render_markdown
from bentoml.server.assets import ASSETS


class Tags(HTMLParser):
    """All start tags with their attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_front_page_has_both_tabs_and_the_docstring(client) -> None:
    answer = client.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    page = Tags(answer.text)
    assert [t["id"] for tag, t in page.tags if t.get("role") == "tab"] == ["tab-swagger", "tab-readme"]
    assert "About Sample" in page.text
    assert "<strong>numbers</strong>" in answer.text
    assert "v1_A" in page.text


def test_docs_page_is_swagger_alone(client) -> None:
    answer = client.get("/docs")
    assert answer.status_code == 200
    assert 'role="tab"' not in answer.text
    assert "About Sample" not in answer.text


def test_every_link_is_relative_and_answered(client) -> None:
    page = Tags(client.get("/").text)
    targets = {t.get("href") or t.get("src") for _, t in page.tags} - {None}
    assert {"static_content/main.css", "static_content/swagger-ui-bundle.js", "docs.json"} <= targets
    for target in targets:
        assert not target.startswith(("/", "http"))
        assert client.get(f"/{target}").status_code == 200


def test_no_inline_script_or_style_and_a_strict_policy(client) -> None:
    answer = client.get("/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    page = Tags(answer.text)
    assert all(t.get("src") for tag, t in page.tags if tag == "script")
    assert not any(name == "style" or name.startswith("on") for _, t in page.tags for name in t)


def test_swagger_can_be_disabled(make_client) -> None:
    client, _ = make_client(swagger_enabled=False)
    for path in ("/", "/docs"):
        answer = client.get(path)
        assert (answer.status_code, answer.text) == (404, "Swagger is disabled")
    assert client.get("/docs.json").status_code == 200


@pytest.mark.parametrize("name", sorted(ASSETS))
def test_assets_have_types_and_etags(client, name: str) -> None:
    answer = client.get(f"/static_content/{name}")
    assert answer.status_code == 200
    assert answer.headers["x-content-type-options"] == "nosniff"
    expected = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml", "txt": "text/plain"}
    assert answer.headers["content-type"].startswith(expected[name.rsplit(".", 1)[1]])
    again = client.get(f"/static_content/{name}", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_large_assets_are_compressed_for_who_accepts_it(client) -> None:
    packed = client.get("/static_content/swagger-ui-bundle.js", headers={"Accept-Encoding": "gzip"})
    plain = client.get("/static_content/swagger-ui-bundle.js", headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(plain.content) / 3
    assert packed.content == plain.content


@pytest.mark.parametrize(
    "path",
    [
        "nope.css",
        "..%2fpage.html",
        "%2e%2e/app.py",
        "vendor/swagger-ui.css",
        "page.html",
        "main.css/",
        "a%00b",
    ],
)
def test_A14_nothing_else_comes_out_of_static_content(client, path: str) -> None:
    assert client.get(f"/static_content/{path}").status_code == 404


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](data:text/html,<script>alert(1)</script>)",
    "![x](data:image/svg+xml;base64,PHN2Zz4=)",
    "![x](https://evil.example/pixel.png)",
    "</script><script>alert(1)</script>",
    "`${alert(1)}`",
    "{{constructor.constructor('alert(1)')()}}",
    "<svg onload=alert(1)>",
    "<!-- --><b>bold</b>",
    '[x](https://e.example/"onmouseover="alert(1))',
    "[x]: javascript:alert(1)\n\n[x]",
    "<https://e.example/<script>>",
    "\u202eevil",
    "$name $version ${links}",
]
ALLOWED_TAGS = {"p", "a", "code", "pre", "h1", "h2", "strong", "em", "ul", "li", "div", "table", "br"}


@pytest.mark.parametrize("text", HOSTILE)
def test_A33_hostile_text_is_shown_as_text(text: str) -> None:
    page = Tags(render_markdown(text))
    assert {tag for tag, _ in page.tags} <= ALLOWED_TAGS
    for tag, attributes in page.tags:
        assert set(attributes) <= {"href", "rel", "title", "class"}, (tag, attributes)
        href = attributes.get("href") or "https:"
        assert not re.match(r"\s*(javascript|data|vbscript|file):", href, re.IGNORECASE)


@pytest.mark.parametrize("text", HOSTILE)
def test_A33_a_hostile_docstring_cannot_change_the_page(make_client, text: str) -> None:
    client, state = make_client()
    clean = [tag for tag, _ in Tags(client.get("/docs").text).tags]
    state.readme = text
    page = Tags(client.get("/").text)
    assert all(attributes.get("src") for tag, attributes in page.tags if tag == "script")
    assert [tag for tag, _ in page.tags].count("script") == clean.count("script")
    assert [tag for tag, _ in page.tags].count("img") == clean.count("img")


def test_a_megabyte_of_docstring_is_cut(make_client) -> None:
    client, state = make_client()
    state.readme = "word " * 400_000
    assert len(client.get("/").content) < 400_000


def test_a_service_without_text_says_how_to_add_one(make_client) -> None:
    client, state = make_client()
    state.readme = ""
    object.__setattr__(state.descriptor, "doc", "")
    assert "no description yet" in client.get("/").text


def test_readme_marks_links_that_leave() -> None:
    html = render_markdown(
        "    # Title\n\n    [site](https://example.com) ![pic](https://example.com/p.png)\n"
    )
    page = Tags(html)
    assert page.tags[0][0] == "h1"
    links = [attributes for tag, attributes in page.tags if tag == "a"]
    assert [link["href"] for link in links] == ["https://example.com", "https://example.com/p.png"]
    assert all("noopener" in link["rel"] for link in links)
    assert page.text.split() == ["Title", "site", "pic"]
