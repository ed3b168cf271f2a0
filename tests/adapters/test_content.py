"""Sizes, content encodings and charsets, the same for every adapter that reads text."""

from __future__ import annotations

import gzip
import hashlib
import json
import time
import zlib
from typing import Any

import pytest
from contracts.probe import echo, make_client, send
from hypothesis import given
from hypothesis import strategies as st

from bentoml.adapters import DataframeInput, DecodeLimits, JsonInput, StringInput
from bentoml.adapters.content import gunzip
from bentoml.adapters.limits import DEFAULT_LIMITS
from bentoml.exceptions import BadInput, PayloadTooLarge

BODY = b'[{"a": 1}]'


def rows(self: Any, df: Any) -> Any:
    return df.values.tolist()


TEXT_ADAPTERS = [
    pytest.param(StringInput, echo, id="string"),
    pytest.param(JsonInput, echo, id="json"),
    pytest.param(DataframeInput, rows, id="dataframe"),
]


@pytest.mark.parametrize(("adapter", "func"), TEXT_ADAPTERS)
def test_B29_gzip_in_any_spelling(adapter: Any, func: Any) -> None:
    client = make_client(func, adapter())
    plain = send(client, BODY).content
    for name in ("gzip", "x-gzip", "GZIP"):
        answer = send(client, gzip.compress(BODY), Content_Encoding=name)
        assert (answer.status_code, answer.content) == (200, plain)


@pytest.mark.parametrize(("adapter", "func"), TEXT_ADAPTERS)
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(gzip.compress(BODY)[:-8], id="B30-cut-8"),
        pytest.param(gzip.compress(BODY)[:-1], id="B30-cut-1"),
        pytest.param(gzip.compress(BODY)[:10], id="B30-header-only"),
        pytest.param(gzip.compress(BODY)[:-8] + b"\0\0\0\0" + gzip.compress(BODY)[-4:], id="B31-wrong-crc"),
        pytest.param(gzip.compress(BODY)[:-4] + b"\xff\xff\0\0", id="B31-wrong-length"),
        pytest.param(BODY, id="B32-says-gzip-is-json"),
        pytest.param(b"", id="B36-nothing"),
        pytest.param(gzip.compress(BODY) + b"garbage", id="B37-trailing-garbage"),
    ],
)
def test_B30_B32_B36_B37_broken_gzip(adapter: Any, func: Any, body: bytes) -> None:
    answer = send(make_client(func, adapter()), body, Content_Encoding="gzip")
    assert answer.status_code == 400
    assert "Gzip decompression error" in answer.text


def test_B32_undeclared_gzip_is_not_json() -> None:
    assert send(make_client(echo, JsonInput()), gzip.compress(BODY)).status_code == 400


def test_B33_bomb_is_refused_without_unpacking_it_all() -> None:
    import resource

    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = packer.compress(bytes(100 * 1024 * 1024)) + packer.flush()
    client = make_client(echo, JsonInput())
    send(client, BODY)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.monotonic()
    answer = send(client, bomb, Content_Encoding="gzip")
    assert answer.status_code == 413
    assert time.monotonic() - started < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before <= 52 * 1024


@pytest.mark.parametrize(
    "value", ["gzip, gzip", "gzip,identity", "br", "zstd", "compress", "deflate", "foo", "x" * 500]
)
def test_B34_B35_other_encodings(value: str) -> None:
    answer = send(make_client(echo, JsonInput()), gzip.compress(BODY), Content_Encoding=value)
    assert answer.status_code == 415
    assert len(answer.text) < 256


def test_B35_identity() -> None:
    assert send(make_client(echo, JsonInput()), BODY, Content_Encoding="identity").json() == [{"a": 1}]


def test_B36_thousands_of_empty_members() -> None:
    started = time.monotonic()
    answer = send(make_client(echo, JsonInput()), gzip.compress(b"") * 10_000, Content_Encoding="gzip")
    assert answer.status_code in (400, 413)
    assert time.monotonic() - started < 2


def test_B36_gzip_of_nothing() -> None:
    assert (
        send(make_client(echo, JsonInput()), gzip.compress(b""), Content_Encoding="gzip").status_code == 400
    )


def test_gzip_members_are_joined() -> None:
    body = gzip.compress(b"[1,") + gzip.compress(b"2]")
    assert send(make_client(echo, JsonInput()), body, Content_Encoding="gzip").json() == [1, 2]


@pytest.mark.parametrize("size", [99, 100, 101])
def test_B27_limit_holds_after_decompression(size: int) -> None:
    client = make_client(echo, StringInput(), limits=DecodeLimits(max_body_bytes=100))
    for encoding, body in (("identity", b"x" * size), ("gzip", gzip.compress(b"x" * size))):
        answer = send(client, body, "text/plain", Content_Encoding=encoding)
        assert answer.status_code == (413 if size > 100 else 200)


@pytest.mark.parametrize(("adapter", "func"), TEXT_ADAPTERS)
@pytest.mark.parametrize(
    "charset",
    [
        "foo",
        "",
        "../../x",
        "x" * 5000,
        "undefined",
        "punycode",
        "utf-7",
        "unicode_escape",
        "raw_unicode_escape",
        "idna",
        "rot13",
        "utf-8\0",
        "hex",
        "zlib",
    ],
)
def test_B38_B39_B40_charsets_not_in_the_list(adapter: Any, func: Any, charset: str) -> None:
    answer = send(make_client(func, adapter()), BODY, f"application/json; charset={charset}")
    assert answer.status_code == 415
    assert "charset" in answer.text
    assert len(answer.text) < 256


@pytest.mark.parametrize(
    "charset", ["utf-8", "UTF-8", '"utf-8"', "utf8", "ascii", "us-ascii", "latin-1", "ISO-8859-1"]
)
def test_charsets_in_the_list(charset: str) -> None:
    client = make_client(echo, JsonInput())
    assert send(client, BODY, f"application/json; charset={charset}").json() == [{"a": 1}]


def test_charset_decides_how_bytes_are_read() -> None:
    client = make_client(echo, StringInput())
    assert send(client, b"caf\xe9", "text/plain; charset=latin-1").json() == "café"
    assert send(client, "größe".encode("utf-16"), "text/plain; charset=utf-16").json() == "größe"
    assert send(client, b"caf\xe9", "text/plain; charset=ascii").status_code == 400


@pytest.mark.parametrize(("adapter", "func"), TEXT_ADAPTERS)
@pytest.mark.parametrize(
    "raw",
    [b"\xc3\x28", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf0\x9f\x8e", b"\xff", b"\xf8\x88\x80\x80\x80"],
)
def test_B41_invalid_utf8(adapter: Any, func: Any, raw: bytes) -> None:
    client = make_client(func, adapter())
    assert send(client, b'[{"a": "' + raw + b'"}]').status_code == 400
    assert send(client, b'[{"a": "ok' + raw).status_code == 400


@pytest.mark.parametrize(("adapter", "func"), TEXT_ADAPTERS)
def test_B42_byte_order_marks_have_one_rule(adapter: Any, func: Any) -> None:
    client = make_client(func, adapter())
    plain = send(client, BODY).content
    assert send(client, b"\xef\xbb\xbf" + BODY).content == plain
    utf16 = BODY.decode().encode("utf-16")
    assert send(client, utf16, "application/json; charset=utf-16").content == plain
    assert send(client, utf16).status_code == 400


def test_B43_text_is_passed_byte_exact() -> None:
    def digest(self: Any, texts: Any) -> Any:
        return [hashlib.sha256(text.encode()).hexdigest() for text in texts]

    client = make_client(digest, StringInput())
    for text in ("x" * 10_000_000, "a\0b\0", "\u202eabc\u200f", "🎉" * 1000, "a\r\nb\n\r", ""):
        body = text.encode()
        assert send(client, body, "text/plain").json() == hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize("adapter", [JsonInput, DataframeInput])
@pytest.mark.parametrize("body", [b"", b" ", b"\r\n\t "])
def test_B25_B26_empty_and_blank_bodies(adapter: Any, body: bytes) -> None:
    assert send(make_client(echo, adapter()), body).status_code == 400


def test_B26_null_is_passed_on() -> None:
    assert send(make_client(echo, JsonInput()), b"null").content == b"null"


@given(st.binary(max_size=300), st.integers(0, 40))
def test_gunzip_gives_back_what_was_packed_or_refuses(data: bytes, cut: int) -> None:
    packed = gzip.compress(data)
    assert gunzip(packed, DEFAULT_LIMITS) == data
    if cut:
        with pytest.raises(BadInput):
            gunzip(packed[: -min(cut, len(packed))], DEFAULT_LIMITS)


@given(st.binary(min_size=1, max_size=200))
def test_gunzip_survives_any_bytes(data: bytes) -> None:
    try:
        gunzip(data, DEFAULT_LIMITS)
    except (BadInput, PayloadTooLarge) as err:
        assert str(err)


def test_errors_do_not_repeat_long_input() -> None:
    answer = send(make_client(echo, JsonInput()), json.dumps("x" * 9000).encode()[:-1])
    assert answer.status_code == 400
    assert len(answer.text) < 256
