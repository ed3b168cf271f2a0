"""Forms: one file, hostile framing, hostile names."""

from __future__ import annotations

import gzip
import hashlib
import time
from pathlib import Path
from typing import Any

import pytest
from contracts.probe import echo, make_client, send
from hypothesis import given
from hypothesis import strategies as st

from bentoml.adapters import DecodeLimits, FileInput, JsonInput
from bentoml.adapters.limits import DEFAULT_LIMITS
from bentoml.adapters.multipart import parse_form
from bentoml.exceptions import BadInput

BOUNDARY = "xyz"
KIND = f"multipart/form-data; boundary={BOUNDARY}"


def digest(self: Any, files: Any) -> Any:
    return [[f.name, hashlib.sha256(f.read()).hexdigest()] for f in files]


def part(data: bytes, disposition: str = 'form-data; name="f"; filename="a"', *headers: str) -> bytes:
    lines = [f"--{BOUNDARY}", f"Content-Disposition: {disposition}", *headers, "", ""]
    return "\r\n".join(lines).encode() + data + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def ask(body: bytes, kind: str = KIND, limits: DecodeLimits | None = None) -> Any:
    return send(make_client(digest, FileInput(), limits=limits), body, kind)


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    "kind",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=" + "x" * 102_400,
        "multipart/form-data; boundary=\u00e4\u00f6",
        "multipart/mixed; boundary=xyz",
        "multipart/",
    ],
)
def test_B63_bad_boundaries(kind: str) -> None:
    started = time.monotonic()
    assert ask(form(part(b"data")), kind).status_code == 400
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("tail", [b"-" * 1_048_576, b"a" * 1_048_576, b"\r\n" * 5_242_880, b"x", b"\r\n\r\n"])
def test_B64_B65_data_after_the_form(tail: bytes) -> None:
    started = time.monotonic()
    assert ask(form(part(b"data")) + tail).status_code == 400
    assert time.monotonic() - started < 3


@pytest.mark.parametrize("head", [b"\r\n" * 5_242_880, b"preamble\r\n", b"\r\n"])
def test_B65_data_before_the_form(head: bytes) -> None:
    started = time.monotonic()
    assert ask(head + form(part(b"data"))).status_code == 400
    assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    "body",
    [
        part(b"data"),
        part(b"data")[:-2],
        form(part(b"data"))[:-8],
        b"--xyz\r\nContent-Dispo",
        b"--xyz",
        b"",
        b"--xyz\r\nContent-Disposition: form-data; name=f\r\n--xyz--\r\n",
    ],
)
def test_B66_forms_that_do_not_close(body: bytes) -> None:
    assert ask(body).status_code == 400


def test_B67_carriage_return_and_megabytes() -> None:
    data = b"\r" + b"a" * 10_485_760
    started = time.monotonic()
    assert ask(form(part(data))).json() == ["a", sha(data)]
    assert time.monotonic() - started < 10


def test_B68_too_many_parts() -> None:
    assert ask(form(*[part(b"", f'form-data; name="n{i}"') for i in range(10_000)])).status_code == 413
    fields = [part(b"", f'form-data; name="n{i}"') for i in range(127)]
    assert ask(form(*fields, part(b"x"))).status_code == 200


def test_B68_large_part_header() -> None:
    assert (
        ask(form(part(b"x", 'form-data; name="f"; filename="a"', "X-Long: " + "y" * 1_048_576))).status_code
        == 413
    )
    assert (
        ask(form(part(b"x", 'form-data; name="f"; filename="a"', "X-Long: " + "y" * 8000))).status_code == 200
    )


def test_B69_wrong_number_of_files() -> None:
    none, two = ask(form(part(b"x", 'form-data; name="f"'))), ask(form(part(b"x"), part(b"y")))
    assert (none.status_code, two.status_code) == (400, 400)
    assert "one file at a time" in none.text
    assert "has 2 files" in two.text
    assert ask(f"--{BOUNDARY}--\r\n".encode()).status_code == 400


@pytest.mark.parametrize(
    "name",
    ["../../x", "/abs", "C:\\x", "a\0b", "n" * 4000, "\u202egnp.exe", "", "con.jpg", "größe.png", 'quo"te'],
)
def test_B70_names_are_only_text(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    answer = ask(form(part(b"data", f'form-data; name="f"; filename="{quoted}"')))
    assert answer.json() == [name, sha(b"data")]
    assert list(tmp_path.iterdir()) == []


def test_B70_name_in_the_extended_parameter_only() -> None:
    answer = ask(form(part(b"data", "form-data; name=f; filename*=UTF-8''gr%C3%B6%C3%9Fe")))
    assert answer.json() == ["größe", sha(b"data")]


def test_B71_encodings_of_a_part_are_not_undone() -> None:
    packed = gzip.compress(bytes(1000))
    answer = ask(form(part(packed, 'form-data; name="f"; filename="a"', "Content-Encoding: gzip")))
    assert answer.json()[1] == sha(packed)
    answer = ask(
        form(part(b"QUJD", 'form-data; name="f"; filename="a"', "Content-Transfer-Encoding: base64"))
    )
    assert answer.json()[1] == sha(b"QUJD")


def test_B72_nested_forms_are_opaque() -> None:
    inner = b"--in\r\nContent-Disposition: file; filename=x\r\n\r\n1\r\n--in--\r\n"
    answer = ask(
        form(part(inner, 'form-data; name="f"; filename="a"', "Content-Type: multipart/mixed; boundary=in"))
    )
    assert answer.json()[1] == sha(inner)


@pytest.mark.parametrize("size", [0, 1, 5000])
def test_B73_sizes(size: int) -> None:
    assert ask(form(part(b"z" * size))).json() == ["a", sha(b"z" * size)]


def test_B73_limit_counts_the_unpacked_form() -> None:
    body = form(part(b"z" * 5000))
    limits = DecodeLimits(max_body_bytes=len(body))
    assert ask(body, limits=limits).status_code == 200
    assert ask(form(part(b"z" * 5001)), limits=limits).status_code == 413


@pytest.mark.parametrize("kind", ["image/png", "application/pdf", "application/octet-stream", ""])
def test_B74_raw_uploads_of_any_type(kind: str) -> None:
    assert ask(b"\x00\xff", kind).json() == ["", sha(b"\x00\xff")]


def test_B62_text_in_a_field_is_not_a_file() -> None:
    for text in (b"http://127.0.0.1:1/x", b"file:///etc/passwd", b"data:text/plain,x"):
        assert ask(form(part(text, 'form-data; name="f"'))).status_code == 400


def test_one_text_file_for_text_adapters() -> None:
    client = make_client(echo, JsonInput())
    latin = part(
        '"caf\xe9"'.encode("latin-1"),
        'form-data; name="f"; filename="a"',
        "Content-Type: text/plain; charset=latin-1",
    )
    assert send(client, form(latin), KIND).json() == "café"
    assert send(client, form(part(b"1"), part(b"field", 'form-data; name="n"')), KIND).json() == 1
    assert send(client, form(part(b"1"), part(b"2")), KIND).status_code == 400


@given(
    st.lists(
        st.binary(max_size=200).filter(lambda b: b"\r\n--xyz" not in b"\r\n" + b), min_size=1, max_size=5
    )
)
def test_parts_come_back_as_they_were_sent(datas: list[bytes]) -> None:
    found = parse_form(form(*map(part, datas)), KIND, DEFAULT_LIMITS)
    assert [p.data for p in found] == datas


@given(st.binary(max_size=200))
def test_any_bytes_give_parts_or_bad_input(data: bytes) -> None:
    for body in (data, b"--xyz\r\n" + data + b"\r\n--xyz--\r\n"):
        try:
            parse_form(body, KIND, DEFAULT_LIMITS)
        except BadInput as err:
            assert str(err)
