"""prediction.log: 0.13's keys, right pairing, one line an item whatever the client sent."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bentoml.observability.feedback import FeedbackLog
from bentoml.observability.predictions import PredictionLog, escape_all
from bentoml.types import Payload, Reply, ReplyHead, RequestHead, error_reply

JSON_HEAD = RequestHead.build({"Host": "x", "Content-Type": "application/json"})


def read(path: Path) -> list[dict]:
    raw = path.read_bytes()
    assert raw.endswith(b"\n")
    return [json.loads(line) for line in raw.decode().split("\n")[:-1]]


def test_a_record_has_the_keys_of_013(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path / "prediction.log", "Iris", "2021_A")
    log.write("predict", [Payload(b"[1]", JSON_HEAD, "id-1")], [Reply(ReplyHead(), b"0")])
    line = (tmp_path / "prediction.log").read_text()
    assert line == (
        '{"service_name": "Iris", "service_version": "2021_A", "api": "predict", "request_id": "id-1", '
        '"task": {"data": "[1]", "task_id": "id-1", '
        '"http_headers": [["Host", "x"], ["Content-Type", "application/json"]]}, '
        '"result": {"data": "0", "http_status": 200, '
        '"http_headers": [["Content-Type", "application/json"]]}}\n'
    )


def test_every_item_is_paired_with_its_own_reply(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path / "p.log", "S", "1")
    payloads = [Payload(b"%d" % i, JSON_HEAD, f"id-{i}") for i in range(6)]
    good = ReplyHead()
    replies = [
        error_reply(400, "Not a valid JSON format") if i % 3 == 1 else Reply(good, b"r%d" % i)
        for i in range(6)
    ]
    log.write("predict", payloads, replies)
    records = read(tmp_path / "p.log")
    assert [r["task"]["data"] for r in records] == [str(i) for i in range(6)]
    assert [r["request_id"] for r in records] == [f"id-{i}" for i in range(6)]
    assert [r["result"].get("data") for r in records] == ["r0", None, "r2", "r3", None, "r5"]
    assert records[1]["result"]["err_msg"] == "Not a valid JSON format"
    assert [r["result"]["http_status"] for r in records] == [200, 400, 200, 200, 400, 200]


@given(st.lists(st.tuples(st.binary(max_size=40), st.binary(max_size=40), st.text(max_size=10)), min_size=1))
def test_any_bytes_give_one_valid_line_each(items: list[tuple[bytes, bytes, str]]) -> None:
    log = PredictionLog(Path("/nonexistent"), 'S"\n', "1")
    payloads = [Payload(body, JSON_HEAD, rid) for body, _, rid in items]
    text = log.render("a", payloads, [Reply(ReplyHead(), body) for _, body, _ in items])
    lines = text.encode("utf-8", "replace").decode().split("\n")
    assert lines.pop() == ""
    records = [json.loads(line) for line in lines]
    assert [r["task"]["data"] for r in records] == [str(b, "utf-8", "replace") for b, _, _ in items]
    assert [r["result"]["data"] for r in records] == [str(b, "utf-8", "replace") for _, b, _ in items]


@given(st.lists(st.text(alphabet=st.sampled_from('\x1e\\u001e",a\n')), min_size=1))
def test_escaping_survives_texts_that_look_like_the_joint(texts: list[str]) -> None:
    assert [json.loads(f'"{t}"') for t in escape_all(texts)] == texts


def test_P16_log_injection_stays_one_line(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path / "p.log", "S", "1")
    body = b'x"}\n{"service_name": "fake"}\r\n\x1b[31m'
    head = RequestHead(b'POST\r\nContent-Type: text/plain\r\nX: "}\x0bfake\r\n')
    log.write("predict", [Payload(body, head, 'i"d\n')], [Reply(ReplyHead(), body)])
    raw = (tmp_path / "p.log").read_bytes()
    assert raw.count(b"\n") == 1
    assert b"\x1b" not in raw
    assert read(tmp_path / "p.log")[0]["task"]["data"] == body.decode()


def test_credentials_are_never_logged(tmp_path: Path) -> None:
    head = RequestHead.build(
        {"Authorization": "Bearer s3cret", "Cookie": "sid=s3cret", "X-Api-Key": "s3cret"}
    )
    PredictionLog(tmp_path / "p.log", "S", "1").write(
        "p", [Payload(b"1", head, "i")], [Reply(ReplyHead(), b"2")]
    )
    assert "s3cret" not in (tmp_path / "p.log").read_text()
    assert ["Authorization", "***"] in read(tmp_path / "p.log")[0]["task"]["http_headers"]


@pytest.mark.parametrize(
    "content_type", ["image/png", "application/octet-stream", "multipart/form-data; boundary=x"]
)
def test_files_are_logged_by_name_and_not_by_content(tmp_path: Path, content_type: str) -> None:
    head = RequestHead.build({"Content-Type": content_type})
    payload = Payload(b"\x89PNG" + b"\0" * 100, head, "i", name='cat".png')
    reply = Reply(ReplyHead(200, "image/png"), b"\0" * 77)
    PredictionLog(tmp_path / "p.log", "S", "1").write("p", [payload], [reply])
    record = read(tmp_path / "p.log")[0]
    assert record["task"]["data"] == {"name": 'cat".png', "uri": None}
    assert record["result"]["data_bytes"] == 77


def test_untyped_bodies_are_text_if_they_are(tmp_path: Path) -> None:
    head = RequestHead.build({})
    payloads = [Payload(b"plain", head, "a"), Payload(b"\xff\xfe\0", head, "b")]
    PredictionLog(tmp_path / "p.log", "S", "1").write("p", payloads, [Reply(ReplyHead(), b"1")] * 2)
    assert [r["task"]["data"] for r in read(tmp_path / "p.log")] == ["plain", {"name": "", "uri": None}]


def test_data_can_be_left_out(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path / "p.log", "S", "1", with_data=False)
    log.write("p", [Payload(b"secret", JSON_HEAD, "i")], [Reply(ReplyHead(), b"secret")])
    assert "secret" not in (tmp_path / "p.log").read_text()
    record = read(tmp_path / "p.log")[0]
    assert record["task"]["task_id"] == "i"
    assert record["result"]["data_bytes"] == 6


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.usefixtures("propagating_logger")
def test_F20_a_full_disk_warns_once(caplog) -> None:
    log = PredictionLog(Path("/dev/full"), "S", "1")
    for _ in range(3):
        log.write("p", [Payload(b"1", JSON_HEAD, "i")], [Reply(ReplyHead(), b"2")])
    assert [r.levelname for r in caplog.records] == ["WARNING"]


def test_advanced_mode_hands_dicts_to_the_users_logger(caplog) -> None:
    target = logging.getLogger("test.prediction")
    target.setLevel(logging.INFO)
    PredictionLog(target, "S", "1").write("p", [Payload(b"1", JSON_HEAD, "i")], [Reply(ReplyHead(), b"2")])
    assert caplog.records[0].msg["task"]["data"] == "1"


def test_B101_feedback_is_one_escaped_line(tmp_path: Path) -> None:
    log = FeedbackLog(tmp_path / "feedback.log", "S", "1")
    log.write({"request_id": "i", "text": "a\nb\x1b[31m\u2028", "service_name": "fake"})
    raw = (tmp_path / "feedback.log").read_bytes()
    assert raw.count(b"\n") == 1
    assert b"\x1b" not in raw
    assert json.loads(raw) == {
        "request_id": "i",
        "text": "a\nb\x1b[31m\u2028",
        "service_name": "S",
        "service_version": "1",
    }
