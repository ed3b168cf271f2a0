"""Requests about return values, results, files, pictures and models."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

from .case import CENTROID, CSV, DATA, ECHO, FILES, IRIS, JSON, TEXT, WORDS, Case, json_bytes, multipart

RETURNS = [
    "none",
    "text",
    "quote",
    "true",
    "float",
    "tiny",
    "big",
    "whole_float",
    "huge_int",
    "nan",
    "inf",
    "np_int",
    "np_float32",
    "np_float64",
    "np_bool",
    "np_array",
    "np_float_array",
    "np_float32_array",
    "np_scalar_array",
    "np_empty",
    "np_str_array",
    "np_datetime",
    "dict",
    "int_keys",
    "nested_numpy",
    "tuple",
    "bytes_text",
    "bytes_raw",
    "nested_bytes",
    "opaque",
    "set",
    "tuple_key",
]

RESULT_APIS = [
    "fails_single",
    "fails_batch",
    "too_few",
    "too_many",
    "result_single",
    "result_batch",
    "result_default",
    "error_single",
    "error_batch",
    "error_default",
    "discard_single",
    "discard_batch",
    "discard_bare",
]


def result_cases() -> Iterator[Case]:
    for mode in ("single", "batch"):
        for name in RETURNS:
            yield Case(f"returns-{mode}-{name}", ECHO, "POST", f"/returns_{mode}", TEXT, name.encode())
        yield Case(f"returns-{mode}-missing", ECHO, "POST", f"/returns_{mode}", TEXT, b"missing")
    for api in [
        "fails_single",
        "fails_batch",
        "too_few",
        "too_many",
        "result_single",
        "result_batch",
        "result_default",
        "error_single",
        "error_batch",
        "error_default",
        "discard_single",
        "discard_batch",
        "discard_bare",
    ]:
        yield Case(f"result-{api}", ECHO, "POST", f"/{api}", JSON, b"7")
        yield Case(f"result-{api}-bad", ECHO, "POST", f"/{api}", JSON, b"{bad")
    yield Case("result-discard_single-kept", ECHO, "POST", "/discard_single", JSON, b'{"a": 1}')
    yield Case("result-discard_batch-kept", ECHO, "POST", "/discard_batch", JSON, b'{"a": 1}')
    colour = {**JSON, "x-COLOR": "green"}
    for mode in ("single", "batch"):
        yield Case(f"headers-{mode}", ECHO, "POST", f"/headers_{mode}", colour, b"1")
        yield Case(f"headers-{mode}-absent", ECHO, "POST", f"/headers_{mode}", JSON, b"1")


def file_cases() -> Iterator[Case]:
    binary = {"Content-Type": "application/octet-stream"}
    for mode in ("single", "batch"):
        path = f"/file_{mode}"

        def make(
            name: str,
            headers: dict[str, str],
            body: bytes,
            method: str = "POST",
            mode: str = mode,
            path: str = path,
        ) -> Case:
            return Case(f"file-{mode}-{name}", FILES, method, path, headers, body)

        yield make("raw", binary, b"\x00\x01\xff")
        yield make("raw-text", TEXT, b"text")
        yield make("raw-json", JSON, b"{}")
        yield make("no-content-type", {}, b"abc")
        yield make("empty", binary, b"")
        yield make("gzip", {**binary, "Content-Encoding": "gzip"}, gzip.compress(b"zip", mtime=0))
        yield make("gzip-corrupt", {**binary, "Content-Encoding": "gzip"}, b"nope")
        yield make("multipart", *multipart(("any_name", "a.bin", "application/octet-stream", b"\xff\x00")))
        yield make("multipart-unicode-name", *multipart(("f", "größe.bin", "", b"u")))
        yield make("multipart-path-name", *multipart(("f", "../../etc/passwd", "", b"p")))
        yield make("multipart-empty-file", *multipart(("f", "empty.bin", "", b"")))
        yield make("multipart-two", *multipart(("f", "a", "", b"1"), ("g", "b", "", b"2")))
        yield make("multipart-field-only", *multipart(("f", None, "", b"value")))
        yield Case(f"file-{mode}-get", FILES, "GET", path, {}, b"", "status")
    types = {
        ".png": "image/png",
        ".jpg": "image/jpeg",
        ".bmp": "image/bmp",
        ".webp": "image/webp",
        ".tiff": "image/tiff",
        ".gif": "image/gif",
    }
    for picture in sorted(DATA.iterdir()):
        kind, data = types[picture.suffix], picture.read_bytes()
        yield Case(
            f"image-single-raw-{picture.name}", FILES, "POST", "/image_single", {"Content-Type": kind}, data
        )
        form = multipart(("image", picture.name, kind, data))
        yield Case(f"image-single-form-{picture.name}", FILES, "POST", "/image_single", *form)
    png = (DATA / "quarters.png").read_bytes()
    for api in ["image_single", "image_batch", "image_grey", "image_png"]:
        path = f"/{api}"
        yield Case(f"{api}-png", FILES, "POST", path, {"Content-Type": "image/png"}, png)
        yield Case(
            f"{api}-form-jpg",
            FILES,
            "POST",
            path,
            *multipart(("f", "a.jpg", "image/jpeg", (DATA / "quarters.jpg").read_bytes())),
        )
        yield Case(f"{api}-upper-case", FILES, "POST", path, *multipart(("f", "A.PNG", "image/png", png)))
        yield Case(
            f"{api}-wrong-extension", FILES, "POST", path, *multipart(("f", "a.txt", "image/png", png))
        )
        yield Case(f"{api}-no-extension", FILES, "POST", path, *multipart(("f", "image", "image/png", png)))
        yield Case(f"{api}-truncated", FILES, "POST", path, {"Content-Type": "image/png"}, png[:40])
        yield Case(f"{api}-garbage", FILES, "POST", path, {"Content-Type": "image/png"}, b"no picture")
        yield Case(f"{api}-empty", FILES, "POST", path, {"Content-Type": "image/png"}, b"")
        yield Case(f"{api}-json", FILES, "POST", path, JSON, b"{}")
        yield Case(
            f"{api}-two-files",
            FILES,
            "POST",
            path,
            *multipart(("a", "a.png", "", png), ("b", "b.png", "", png)),
        )
        yield Case(
            f"{api}-gzip", FILES, "POST", path, {"Content-Encoding": "gzip"}, gzip.compress(png, mtime=0)
        )
        yield Case(f"{api}-get", FILES, "GET", path, {}, b"", "status")


def model_cases() -> Iterator[Case]:
    rows = [[5.1, 3.5, 1.4, 0.2], [6.0, 2.9, 4.5, 1.5], [6.9, 3.1, 5.4, 2.1]]
    names = "sepal_length,sepal_width,petal_length,petal_width"
    for tag, label in ((IRIS, "iris"), (CENTROID, "centroid")):
        for i, row in enumerate(rows):
            yield Case(f"{label}-predict-{i}", tag, "POST", "/predict", JSON, json_bytes(row))
        yield Case(f"{label}-predict-bad", tag, "POST", "/predict", JSON, b"{bad")
        yield Case(f"{label}-df-one", tag, "POST", "/predict_df", JSON, json_bytes(rows[:1]))
        yield Case(f"{label}-df-three", tag, "POST", "/predict_df", JSON, json_bytes(rows))
        lines = [names, *(",".join(map(str, row)) for row in rows)]
        yield Case(f"{label}-df-csv", tag, "POST", "/predict_df", CSV, "\n".join(lines).encode())
        yield Case(f"{label}-df-bad", tag, "POST", "/predict_df", JSON, b"{bad")
        yield Case(f"{label}-metadata", tag, "GET", "/metadata", {}, b"", "metadata")
        yield Case(f"{label}-docs-json", tag, "GET", "/docs.json", {}, b"", "openapi")
    yield Case("iris-proba", IRIS, "POST", "/predict_proba", JSON, json_bytes(rows[0]))
    yield Case("iris-df-three-columns", IRIS, "POST", "/predict_df", JSON, b"[[1, 2, 3]]", "status")
    yield Case("words-score", WORDS, "POST", "/score", TEXT, b"good good bad day")
    yield Case("words-unknown", WORDS, "POST", "/unknown", TEXT, "good grün blau".encode())
    yield Case("words-about", WORDS, "POST", "/about", JSON, b"null")
