"""When two answers are the same: status, and as much of the body as the case promises."""

from __future__ import annotations

import json
import re
from typing import Any

from .wire import Answer

_FORMATS = re.compile(r"(only accepts )[{[]([^}\]]*)[}\]]")
_TABLE_ERROR = "DataframeInput Wrong input format"


def problems(row: dict[str, Any], ours: Answer, recorded_body: bytes) -> list[str]:
    """What differs between a recorded answer and ours, in words; empty when they are the same."""
    theirs = row["answer"]
    if theirs["status"] != ours.status:
        return [f"status {ours.status} instead of {theirs['status']}: {ours.body[:200]!r}"]
    if row["compare"] == "status":
        return []
    found = _COMPARE[row["compare"]](recorded_body, ours.body, ours.status)
    if ours.status < 400 and row["compare"] == "body":
        found += _header_problems(theirs["headers"], ours.headers)
    return found


def _header_problems(theirs: dict[str, str], ours: dict[str, str]) -> list[str]:
    found = []
    for name in ("content-type", "x-model"):
        expected, got = (headers.get(name, "").partition(";")[0] for headers in (theirs, ours))
        if expected != got:
            found.append(f"{name} {got!r} instead of {expected!r}")
    if "x-request-id" in theirs and "x-request-id" not in ours:
        found.append("no x-request-id")
    return found


def _compare_text(theirs: bytes, ours: bytes, status: int) -> list[str]:
    if canonical(theirs) == canonical(ours):
        return []
    if status >= 400 and says_more(theirs.decode(errors="replace"), ours.decode(errors="replace")):
        return []
    return [f"body {ours[:300]!r} instead of {theirs[:300]!r}"]


def canonical(body: bytes) -> str | bytes:
    """JSON as a value (with `NaN`), other text as it is; 0.13 prints a set in any order."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return body
    try:
        return json.dumps(json.loads(text), sort_keys=True)
    except ValueError:
        return _FORMATS.sub(lambda m: m[1] + ", ".join(sorted(m[2].split(", "))), text)


def says_more(theirs: str, ours: str) -> bool:
    """Whether an error text begins as in 0.13 and goes on: the rule for every error text here.

    0.13 ends the text of a table error with a copy of the request; here it ends with the reason.
    """
    start = theirs.rstrip(".")
    if start.startswith(_TABLE_ERROR):
        start = _TABLE_ERROR
    return bool(start) and ours.startswith((start + ":", start + ".", start + ";"))


def _compare_metadata(theirs: bytes, ours: bytes, _status: int) -> list[str]:
    """The same document but for its time: 0.13 gives the moment its worker loaded the bundle."""
    expected, got = json.loads(theirs), json.loads(ours)
    if type(expected) is not type(got):
        return [f"a {type(got).__name__} instead of a {type(expected).__name__} that holds JSON"]
    documents = [json.loads(value) if isinstance(value, str) else value for value in (expected, got)]
    for document in documents:
        if not document.pop("createdAt", None):
            return ["no createdAt"]
    return [] if documents[0] == documents[1] else [f"metadata {documents[1]} instead of {documents[0]}"]


def _compare_openapi(theirs: bytes, ours: bytes, _status: int) -> list[str]:
    """Title, version, and every path with its methods; the schemas here say more."""
    found = []
    expected, got = json.loads(theirs), json.loads(ours)
    for key in ("title", "version"):
        if expected["info"][key] != got["info"][key]:
            found.append(f"info.{key} {got['info'][key]!r} instead of {expected['info'][key]!r}")
    for path, methods in expected["paths"].items():
        missing = set(methods) - set(got["paths"].get(path, {}))
        if missing:
            found.append(f"{path}: no {sorted(missing)}")
    return found


def _compare_metrics(theirs: bytes, ours: bytes, _status: int) -> list[str]:
    """Every metric of 0.13 is there with its type."""
    pattern = re.compile(r"^(?:# TYPE )?(BENTOML_\S+ \w+)$", re.M)
    missing = set(pattern.findall(theirs.decode())) - set(pattern.findall(ours.decode()))
    return [f"metrics missing: {sorted(missing)}"] if missing else []


_COMPARE = {
    "body": _compare_text,
    "metadata": _compare_metadata,
    "openapi": _compare_openapi,
    "metrics": _compare_metrics,
}
