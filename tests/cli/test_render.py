"""Spans of time, and tables for pipes and terminals."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from bentoml.cli.age import human_span
from bentoml.cli.render import plain_table


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(seconds=20.54), "20.54 seconds"),
        (timedelta(seconds=1), "1 second"),
        (timedelta(seconds=0), "0 seconds"),
        (timedelta(seconds=-5), "0 seconds"),
        (timedelta(seconds=61), "1 minute and 1 second"),
        (timedelta(hours=26), "1 day and 2 hours"),
        (timedelta(days=8, hours=1, minutes=3), "1 week and 1 day"),
        (timedelta(days=800), "2 years and 10 weeks"),
        (timedelta(hours=2), "2 hours"),
    ],
)
def test_human_span(span: timedelta, text: str) -> None:
    assert human_span(span) == text


def test_plain_table_aligns_and_continues_cells() -> None:
    text = plain_table(["A", "LONG"], [["1", "x"], ["222", "y\nz"], ["", ""]])
    assert text == "A    LONG\n1    x\n222  y\n     z\n"


def list_on_terminal(home: Path, columns: int, *options: str) -> bytes:
    leader, follower = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "bentoml", "list", *options],
        stdout=follower,
        env={**os.environ, "BENTOML_HOME": str(home), "TERM": "xterm-256color", "COLUMNS": str(columns)},
    )
    os.close(follower)
    output = b""
    try:
        while part := os.read(leader, 4096):
            output += part
    except OSError:  # Linux ends a terminal with an error
        pass
    os.close(leader)
    assert child.wait(30) == 0
    return output


@pytest.mark.parametrize("columns", [200, 80, 60])
def test_table_on_a_terminal_is_coloured_and_its_tags_are_whole(
    add: Callable[..., Path], home: Path, columns: int
) -> None:
    add("Iris", "20210926174550_16DCF9", {"env": "prod"})
    output = list_on_terminal(home, columns)
    assert b"\x1b[" in output
    assert b"Iris:20210926174550_16DCF9" in output
    assert b"env:prod" in output


@pytest.mark.parametrize("columns", [400, 60])
def test_nothing_on_a_terminal_is_cut_inside_a_word(
    add: Callable[..., Path], home: Path, columns: int
) -> None:
    where = add("Iris", "20210926174550_16DCF9", {"env": "prod"})
    output = re.sub(r"\x1b\[[0-9;]*m", "", list_on_terminal(home, columns, "-o", "wide").decode())
    for whole in ("predict<JsonInput:DefaultOutput>", "model<PickleArtifact>", "env:prod", str(where)):
        assert whole in output
    assert ("BENTO_SERVICE" in output) == (columns == 400), "a block says what each line is"
