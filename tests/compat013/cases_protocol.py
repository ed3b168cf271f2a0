"""Requests to the infra endpoints and to the text and JSON APIs."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

from .case import ECHO, JSON, TEXT, Case, json_bytes, multipart


def infra_cases() -> Iterator[Case]:
    def make(
        name: str, method: str, path: str, body: bytes = b"", compare: str = "body", **headers: str
    ) -> Case:
        return Case(
            f"infra-{name}",
            ECHO,
            method,
            path,
            {k.replace("_", "-"): v for k, v in headers.items()},
            body,
            compare,
        )

    yield make("healthz", "GET", "/healthz")
    yield make("healthz-head", "HEAD", "/healthz")
    yield make("healthz-post", "POST", "/healthz", compare="status")
    yield make("metadata", "GET", "/metadata", compare="metadata")
    yield make("docs-json", "GET", "/docs.json", compare="openapi")
    yield make("index", "GET", "/", compare="status")
    yield make("docs", "GET", "/docs", compare="status")
    for name in ("main.css", "readme.css", "marked.min.js", "swagger-ui.css", "swagger-ui-bundle.js"):
        yield make(f"static-{name}", "GET", f"/static_content/{name}", compare="status")
    yield make("static-missing", "GET", "/static_content/nothing.css", compare="status")
    yield make("static-outside", "GET", "/static_content/../bentoml.yml", compare="status")
    yield make("static-outside-escaped", "GET", "/static_content/%2e%2e/%2e%2e/bentoml.yml", compare="status")
    yield make("metrics", "GET", "/metrics", compare="metrics")
    feedback = {
        "good": b'{"request_id": "abc", "label": 1}',
        "extra": '{"request_id": "abc", "note": "größer"}'.encode(),
        "empty-object": b"{}",
        "bad-json": b"{bad",
        "empty": b"",
        "list": b"[1]",
        "null-id": b'{"request_id": null}',
    }
    for name, body in feedback.items():
        yield make(
            f"feedback-{name}",
            "POST",
            "/feedback",
            body,
            compare="status" if name != "good" else "body",
            Content_Type="application/json",
        )
    yield make(
        "feedback-text-type",
        "POST",
        "/feedback",
        feedback["good"],
        compare="status",
        Content_Type="text/plain",
    )
    yield make("feedback-get", "GET", "/feedback", compare="status")
    yield make("unknown", "GET", "/nothing", compare="status")
    yield make("unknown-post", "POST", "/nothing", b"{}", compare="status", Content_Type="application/json")
    for method in ("PUT", "DELETE", "PATCH"):
        yield make(f"method-{method.lower()}-single", method, "/json_single", b"{}", compare="status")
        yield make(f"method-{method.lower()}-batch", method, "/json_batch", b"{}", compare="status")
    yield make("options-api", "OPTIONS", "/json_single", compare="status")
    yield make("options-batch-api", "OPTIONS", "/json_batch", compare="status")
    yield make("head-api", "HEAD", "/json_single", compare="status")
    yield make(
        "trailing-slash", "POST", "/json_single/", b"1", compare="status", Content_Type="application/json"
    )
    yield make(
        "double-slash", "POST", "//json_single", b"1", compare="status", Content_Type="application/json"
    )
    yield make("query", "POST", "/json_single?x=1&y=%20", b"[1]", Content_Type="application/json")
    yield make("escaped-path", "POST", "/json%5Fsingle", b"[1]", Content_Type="application/json")
    yield make(
        "upper-case-path", "POST", "/JSON_SINGLE", b"[1]", compare="status", Content_Type="application/json"
    )
    yield make(
        "own-request-id", "POST", "/json_single", b"[1]", Content_Type="application/json", X_Request_Id="mine"
    )


JSON_BODIES: dict[str, bytes] = {
    "object": b'{"text": "my name is"}',
    "nested": json_bytes({"a": [1, 2.5, None, True, {"b": "c"}], "z": {}}),
    "list": b"[1, 2, 3]",
    "string": b'"x"',
    "number": b"3.25",
    "big-number": b"12345678901234567890123",
    "exponent": b"1E400",
    "zero-exponent": b"1e2",
    "negative-zero": b"-0.0",
    "null": b"null",
    "true": b"true",
    "unicode": '"grüße, 世界 🎉"'.encode(),
    "escapes": rb'"\u00e4\ud83c\udf89\n\"\\\/"',
    "lone-surrogate": rb'"\ud800"',
    "nan": b"NaN",
    "infinity": b"[Infinity, -Infinity]",
    "duplicate-keys": b'{"a": 1, "a": 2}',
    "white-space": b" \r\n\t[1 , 2]\n ",
    "bad": b"{bad",
    "single-quotes": b"{'a': 1}",
    "trailing-comma": b"[1, 2,]",
    "two-values": b"1 2",
    "control-character": b'"a\tb"',
    "leading-zero": b"01",
    "comment": b"[1] // one",
    "empty": b"",
    "spaces": b"   ",
    "bom": b"\xef\xbb\xbf[1]",
    "not-utf8": b'"\xff"',
    "nul": b'"\x00"',
}


def json_cases() -> Iterator[Case]:
    for mode in ("single", "batch"):
        for name, body in JSON_BODIES.items():
            yield Case(f"json-{mode}-{name}", ECHO, "POST", f"/json_{mode}", JSON, body)

        def make(
            name: str, headers: dict[str, str], body: bytes, method: str = "POST", mode: str = mode
        ) -> Case:
            return Case(f"json-{mode}-{name}", ECHO, method, f"/json_{mode}", headers, body)

        umlaut = '{"größe": "ä"}'
        yield make("no-content-type", {}, b"[1]")
        yield make("text-content-type", TEXT, b"[1]")
        yield make("urlencoded-content-type", {"Content-Type": "application/x-www-form-urlencoded"}, b"[1]")
        yield make(
            "charset-latin1", {"Content-Type": "application/json; charset=latin-1"}, umlaut.encode("latin-1")
        )
        yield make(
            "charset-utf16", {"Content-Type": "application/json; charset=utf-16"}, umlaut.encode("utf-16")
        )
        yield make("charset-quoted", {"Content-Type": 'application/json; charset="utf-8"'}, umlaut.encode())
        yield make("charset-unknown", {"Content-Type": "application/json; charset=nonsense"}, b"[1]")
        yield make("charset-wrong", {"Content-Type": "application/json; charset=ascii"}, umlaut.encode())
        yield make("gzip", {**JSON, "Content-Encoding": "gzip"}, gzip.compress(b"[1, 2]", mtime=0))
        yield make("x-gzip", {**JSON, "Content-Encoding": "x-gzip"}, gzip.compress(b"[1, 2]", mtime=0))
        yield make("gzip-corrupt", {**JSON, "Content-Encoding": "gzip"}, b"not gzip at all")
        yield make(
            "gzip-truncated", {**JSON, "Content-Encoding": "gzip"}, gzip.compress(b"[1, 2]", mtime=0)[:-9]
        )
        yield make("encoding-unknown", {**JSON, "Content-Encoding": "br"}, b"[1, 2]")
        yield make("get-with-body", JSON, b"[1]", "GET")
        yield make("get-without-body", {}, b"", "GET")
        yield make("multipart-file", *multipart(("any", "a.json", "application/json", b'{"a": "\xc3\xa4"}')))
        yield make(
            "multipart-two",
            *multipart(("a", "a.json", "application/json", b"1"), ("b", "b.json", "application/json", b"2")),
        )
        yield make("multipart-field-only", *multipart(("a", None, "", b"[1]")))
        yield make(
            "multipart-file-and-field",
            *multipart(("f", "a.json", "application/json", b"[1]"), ("note", None, "", b"x")),
        )
        yield make("multipart-no-parts", *multipart())
        yield make("multipart-no-boundary", {"Content-Type": "multipart/form-data"}, b"[1]")
    yield Case("json-routed", ECHO, "POST", "/v1/models/echo", JSON, b'["r"]')
    yield Case("json-ascii", ECHO, "POST", "/ascii_json", JSON, '"grün"'.encode())
    yield Case("json-array-row", ECHO, "POST", "/array_batch", JSON, b"[1, 2.5]")
    yield Case("json-array-scalar", ECHO, "POST", "/array_batch", JSON, b"4")


TEXT_BODIES: dict[str, bytes] = {
    "plain": b"hello",
    "unicode": "grüße 🎉".encode(),
    "json-like": b'{"a": 1}',
    "empty": b"",
    "new-lines": b"a\r\nb\n",
    "not-utf8": b"caf\xe9",
    "nul": b"a\x00b",
    "bom": b"\xef\xbb\xbfx",
}


def text_cases() -> Iterator[Case]:
    for mode in ("single", "batch"):
        for name, body in TEXT_BODIES.items():
            yield Case(f"text-{mode}-{name}", ECHO, "POST", f"/text_{mode}", TEXT, body)
        path = f"/text_{mode}"
        latin = {"Content-Type": "text/plain; charset=iso-8859-1"}
        yield Case(f"text-{mode}-latin1", ECHO, "POST", path, latin, b"caf\xe9")
        yield Case(
            f"text-{mode}-gzip",
            ECHO,
            "POST",
            path,
            {"Content-Encoding": "gzip"},
            gzip.compress(b"zip", mtime=0),
        )
        yield Case(f"text-{mode}-get", ECHO, "GET", path, {}, b"")
        yield Case(
            f"text-{mode}-multipart",
            ECHO,
            "POST",
            path,
            *multipart(("f", "a.txt", "text/plain", b"file text")),
        )
        german = "Größenänderung für Füße, schön über Äcker".encode("latin-1")
        yield Case(
            f"text-{mode}-multipart-latin1",
            ECHO,
            "POST",
            path,
            *multipart(("f", "a.txt", "text/plain", german)),
        )
        yield Case(f"text-{mode}-multipart-none", ECHO, "POST", path, *multipart(("f", None, "", b"a field")))
    for text in ("loud", "exactly twenty chars", "this text is longer than twenty"):
        yield Case(f"shout-{text.replace(' ', '-')}", ECHO, "POST", "/shout", TEXT, text.encode())
