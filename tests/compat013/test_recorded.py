"""The bundles of the real 0.13.1 answer here as they answered there, but for `differences.py`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from bentoml import load
from bentoml.testing import Client

from .case import CENTROID, ECHO, FILES, FRAME, IRIS, WORDS
from .compare import problems
from .differences import BEGIN, DIFFERENCES, END, PAGE, difference_of, render
from .home import bundle_path
from .rows import bytes_from_json, read_rows
from .wire import Answer, send, serving

SERVICES = (ECHO, FRAME, FILES, WORDS, CENTROID, IRIS)
Send = Callable[[dict[str, Any]], Answer]


def check(rows: list[dict[str, Any]], send_row: Send) -> None:
    """Send every recorded request and compare; one message names all that is wrong."""
    wrong = []
    for row in rows:
        answer = send_row(row["request"])
        found = problems(row, answer, bytes_from_json(row["answer"]["body"]))
        difference = difference_of(row["id"])
        if difference is None:
            wrong += [f"{row['id']}: {text}" for text in found]
        elif not found:
            wrong.append(f"{row['id']}: answered as by 0.13.1; take it out of '{difference.topic}'")
        elif answer.status != (difference.status or row["answer"]["status"]):
            wrong.append(
                f"{row['id']}: status {answer.status} instead of {difference.status}: {answer.body[:200]!r}"
            )
    assert not wrong, f"{len(wrong)} of {len(rows)}:\n" + "\n".join(wrong)


def environment(home: Path) -> dict[str, str]:
    import_path = os.pathsep.join(path for path in sys.path if path)
    return {"BENTOML_HOME": str(home), "PYTHONPATH": import_path, "BENTOML_DO_NOT_TRACK": "true"}


@pytest.fixture(params=SERVICES, ids=lambda tag: tag.partition(":")[0])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, int]]:
    tag = request.param
    command = [sys.executable, "-m", "bentoml", "serve", str(bundle_path(tag))]
    with serving(command, environment(tmp_path / "home"), tmp_path / "server.log") as port:
        yield tag, port


def test_server_answers_as_recorded(server: tuple[str, int]) -> None:
    tag, port = server

    def send_row(request: dict[str, Any]) -> Answer:
        body = bytes_from_json(request["body"])
        return send(port, request["method"], request["path"], request["headers"], body)

    check(read_rows(tag), send_row)


@pytest.mark.parametrize("tag", SERVICES, ids=lambda tag: tag.partition(":")[0])
def test_test_client_answers_as_recorded(tag: str) -> None:
    with Client(load(str(bundle_path(tag)))) as client:
        routes = {f"/{api.route}" for api in client.service.inference_apis}
        rows = [
            r for r in read_rows(tag) if r["request"]["path"] in routes and not r["id"].startswith("infra-")
        ]

        def send_row(request: dict[str, Any]) -> Answer:
            body = bytes_from_json(request["body"])
            answer = client.request(request["method"], request["path"], data=body, headers=request["headers"])
            headers = {name.lower(): value for name, value in answer.headers.items()}
            return Answer(answer.status_code, {"x-request-id": "none here", **headers}, answer.content)

        check(rows, send_row)


def test_every_difference_names_a_recorded_case() -> None:
    ids = [row["id"] for name in (*SERVICES, "cli") for row in read_rows(name)]
    unused = [p for d in DIFFERENCES for p in d.cases if not any(fnmatchcase(i, p) for i in ids)]
    assert unused == []


def test_the_page_shows_the_table() -> None:
    shown = PAGE.read_text("utf-8").partition(BEGIN)[2].partition(END)[0].strip()
    assert shown == render(), "run: python -m tests.compat013.differences"
