"""Requests to the table APIs."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

from .case import CSV, FRAME, JSON, TEXT, Case, json_bytes, multipart

RECORDS = [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
FRAME_BODIES: dict[str, bytes] = {
    "records": json_bytes(RECORDS),
    "one-record": json_bytes(RECORDS[:1]),
    "values": b"[[1, 2], [3, 4]]",
    "columns": json_bytes({"a": {"0": 1, "1": 2}, "b": {"0": "x", "1": "y"}}),
    "column-lists": json_bytes({"a": [1, 2], "b": ["x", "y"]}),
    "split": json_bytes({"columns": ["a", "b"], "index": [5, 6], "data": [[1, "x"], [2, "y"]]}),
    "index": json_bytes({"r1": {"a": 1, "b": "x"}, "r2": {"a": 2, "b": "y"}}),
    "table": json_bytes(
        {"schema": {"fields": [{"name": "a", "type": "integer"}], "primaryKey": []}, "data": [{"a": 1}]}
    ),
    "missing-value": json_bytes([{"a": 1, "b": None}, {"a": None, "b": "y"}]),
    "missing-key": json_bytes([{"a": 1, "b": "x"}, {"a": 2}]),
    "extra-key": json_bytes([{"a": 1, "b": "x", "c": 9}]),
    "other-order": json_bytes([{"b": "x", "a": 1}]),
    "only-a": json_bytes([{"a": 1}, {"a": 2}]),
    "numeric-text": json_bytes([{"a": "1", "b": "007"}]),
    "booleans": json_bytes([{"a": True, "b": False}]),
    "floats": json_bytes([{"a": 1.0, "b": 0.1}, {"a": 2.5, "b": 1e-9}]),
    "unicode": json_bytes([{"größe": 'ä, "q"', "b": "zwei\nzeilen"}]),
    "nested": json_bytes([{"a": [1, 2], "b": {"c": 3}}]),
    "empty-list": b"[]",
    "empty-object": b"{}",
    "flat-list": b"[1, 2, 3]",
    "number": b"5",
    "string": b'"x"',
    "null": b"null",
    "bad": b"{bad",
    "empty": b"",
}
CSV_BODIES: dict[str, bytes] = {
    "plain": b"a,b\n1,x\n2,y\n",
    "numbers": b"a,b\n1,2\n3,4",
    "crlf": b"a,b\r\n1,x\r\n2,y\r\n",
    "quoted": b'a,b\n1,"x, y"\n2,"say ""hi"""\n',
    "blank-lines": b"a,b\n\n1,x\n\n",
    "missing-value": b"a,b\n1,\n,y\n",
    "header-only": b"a,b\n",
    "ragged": b"a,b\n1,2,3\n",
    "short-row": b"a,b\n1\n",
    "other-order": b"b,a\nx,1\n",
    "extra-column": b"a,b,c\n1,x,9\n",
    "no-new-line": b"a",
    "empty": b"",
    "unicode": "größe,b\nä,1\n".encode(),
}


def frame_cases() -> Iterator[Case]:
    for name, body in FRAME_BODIES.items():
        yield Case(f"frame-rows-{name}", FRAME, "POST", "/rows", JSON, body)
        yield Case(f"frame-kinds-{name}", FRAME, "POST", "/kinds", JSON, body)
    for name, body in CSV_BODIES.items():
        yield Case(f"csv-rows-{name}", FRAME, "POST", "/rows", CSV, body)
        yield Case(f"csv-named-{name}", FRAME, "POST", "/named", CSV, body)
    for api in ["records", "columns", "values", "split", "by_index", "named"]:
        for name in ["records", "values", "columns", "split", "index", "bad", "empty-list"]:
            yield Case(f"frame-{api}-{name}", FRAME, "POST", f"/{api}", JSON, FRAME_BODIES[name])
    for name in ["missing-key", "extra-key", "other-order", "only-a"]:
        yield Case(f"frame-named-{name}", FRAME, "POST", "/named", JSON, FRAME_BODIES[name])
    for name in ["records", "numeric-text", "missing-value", "floats", "other-order", "extra-key", "values"]:
        yield Case(f"frame-typed-{name}", FRAME, "POST", "/typed", JSON, FRAME_BODIES[name])
    for api in ["frame_records", "frame_split", "series_default", "array", "needs_a"]:
        for name in ["records", "floats", "values", "empty-list", "bad"]:
            yield Case(f"frame-{api}-{name}", FRAME, "POST", f"/{api}", JSON, FRAME_BODIES[name])
    for name in ["floats", "values", "empty-list", "bad"]:
        yield Case(f"frame-frame_default-{name}", FRAME, "POST", "/frame_default", JSON, FRAME_BODIES[name])

    def rows(name: str, headers: dict[str, str], body: bytes, method: str = "POST") -> Case:
        return Case(f"frame-rows-{name}", FRAME, method, "/rows", headers, body)

    records = FRAME_BODIES["records"]
    yield rows("no-content-type", {}, records)
    yield rows("text-type", TEXT, records)
    yield rows("csv-as-json", JSON, CSV_BODIES["plain"])
    yield rows("json-as-csv", CSV, records)
    yield rows("csv-charset", {"Content-Type": "text/csv; charset=latin-1"}, "a\nä\n".encode("latin-1"))
    yield rows("json-charset", {"Content-Type": "application/json; charset=utf-8"}, records)
    yield rows("gzip", {**JSON, "Content-Encoding": "gzip"}, gzip.compress(records, mtime=0))
    yield rows("gzip-csv", {**CSV, "Content-Encoding": "gzip"}, gzip.compress(CSV_BODIES["plain"], mtime=0))
    yield rows("gzip-corrupt", {**JSON, "Content-Encoding": "gzip"}, b"no")
    yield rows("multipart-json", *multipart(("f", "a.json", "application/json", records)))
    yield rows("multipart-csv", *multipart(("f", "a.csv", "text/csv", CSV_BODIES["plain"])))
    yield rows("multipart-two", *multipart(("f", "a.json", "", records), ("g", "b.json", "", records)))
    yield rows("get", {}, b"", "GET")
    yield rows("method-put", JSON, records, "PUT")
