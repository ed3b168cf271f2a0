"""The pipeline: order, counts, tasks, results that user code builds, async functions."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from contracts.probe import echo, make_client, make_service, send, send_all

from bentoml.adapters import JsonInput, JsonOutput, StringInput
from bentoml.exceptions import InvalidArgument, NotFound, Overloaded
from bentoml.inference.pipeline import Pipeline
from bentoml.testing import Request
from bentoml.types import HTTPHeaders, InferenceError, InferenceResult, InferenceTask, Payload


def numbers(*values: Any) -> list[Request]:
    return [Request.build(json=value) for value in values]


def test_replies_keep_the_order_of_payloads() -> None:
    client = make_client(echo, JsonInput())
    assert [a.json() for a in send_all(client, numbers(*range(500)))] == list(range(500))


def test_no_payloads_no_call() -> None:
    service = make_service(lambda self, values: pytest.fail(), JsonInput())
    assert Pipeline(service.inference_apis[0]).run([]) == []


def test_no_task_is_made_on_the_value_road(monkeypatch: pytest.MonkeyPatch) -> None:
    client = make_client(echo, JsonInput())
    monkeypatch.setattr(InferenceTask, "__init__", lambda *a, **k: pytest.fail())
    assert [a.json() for a in send_all(client, numbers(1, 2))] == [1, 2]


def test_times_are_seconds_of_each_step() -> None:
    pipeline = Pipeline(make_service(echo, JsonInput()).inference_apis[0])
    pipeline.run([Payload(b"1")] * 10)
    times = pipeline.last_times
    assert times.decode_s > 0
    assert times.call_s > 0
    assert times.encode_s > 0
    assert times.decode_s + times.call_s + times.encode_s < 60


@pytest.mark.parametrize(
    ("results", "got"),
    [
        ([], "0 results"),
        ([1], "1 results"),
        ([1, 2, 3, 4], "4 results"),
        ("abc", "one str"),
        ({"a": 1}, "one dict"),
        (5, "a int"),
        (None, "a NoneType"),
    ],
)
def test_a_wrong_number_of_results_names_api_and_counts(results: Any, got: str) -> None:
    answers = send_all(make_client(lambda self, values: results, JsonInput()), numbers(1, 2, 3))
    assert [a.status_code for a in answers] == [500] * 3
    for word in ("predict", "3 results", got):
        assert word in answers[0].text


def test_a_generator_is_a_sequence_too() -> None:
    client = make_client(lambda self, values: (v * 2 for v in values), JsonInput())
    assert [a.json() for a in send_all(client, numbers(1, 2))] == [2, 4]


def test_exceptions_are_logged_with_their_traceback(caplog: pytest.LogCaptureFixture) -> None:
    def fail(self: Any, value: Any) -> Any:
        raise ValueError("no model")

    logging.getLogger("bentoml").propagate = True
    with caplog.at_level(logging.ERROR, "bentoml"):
        answer = send(make_client(fail, JsonInput(), batch=False), b"1")
    assert (answer.status_code, answer.text) == (500, "Exception happened in API function: no model")
    record = next(r for r in caplog.records if r.getMessage() == "Error caught in API function:")
    assert record.exc_info is not None
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt(), MemoryError(), RecursionError("deep"), GeneratorExit()]
)
@pytest.mark.parametrize("batch", [True, False])
def test_no_exception_of_user_code_gets_out(error: BaseException, batch: bool) -> None:
    def fail(self: Any, values: Any) -> Any:
        raise error

    answer = send(make_client(fail, JsonInput(), batch=batch), b"1")
    assert answer.status_code == 500
    assert answer.text.startswith("Exception happened in API function: ")


def test_a_broken_exception_text_is_survived() -> None:
    class Odd(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    def fail(self: Any, values: Any) -> Any:
        raise Odd

    assert "Odd" in send(make_client(fail, JsonInput()), b"1").text


@pytest.mark.parametrize(
    ("error", "status"),
    [(InvalidArgument("too long"), 400), (NotFound("no such id"), 404), (Overloaded("busy"), 429)],
)
def test_library_errors_keep_their_4xx_status_for_the_item(error: Exception, status: int) -> None:
    def check(self: Any, values: Any) -> Any:
        if "bad" in values:
            raise error
        return values

    answers = send_all(make_client(check, JsonInput()), numbers("good", "bad", "fine", "good"))
    assert [a.status_code for a in answers] == [200, status, 200, 200]
    assert answers[1].text == str(error)


def test_user_built_results() -> None:
    def results(self: Any, values: Any) -> Any:
        return [
            InferenceResult(
                data="<b>", http_status=203, http_headers={"Content-Type": "text/html", "X-A": "1"}
            ),
            InferenceResult(data=b"\x89PNG", http_status=200),
            InferenceResult(data="plain"),
            InferenceError(err_msg="wrong", http_status=422),
        ]

    answers = send_all(make_client(results, JsonInput()), numbers(1, 2, 3, 4))
    assert [a.status_code for a in answers] == [203, 200, 501, 422]
    assert answers[0].headers["content-type"] == "text/html"
    assert answers[0].headers["X-A"] == "1"
    assert answers[1].content == b"\x89PNG"
    assert answers[2].headers["content-type"] == "text/plain; charset=utf-8"
    assert answers[3].text == "wrong"


def test_user_built_results_between_values() -> None:
    def mixed(self: Any, values: Any) -> Any:
        return [v if v > 0 else InferenceError(err_msg="negative", http_status=400) for v in values]

    answers = send_all(make_client(mixed, JsonInput()), numbers(1, -1, 2))
    assert [(a.status_code, a.text) for a in answers] == [(200, "1"), (400, "negative"), (200, "2")]


def test_tasks_are_those_of_the_call() -> None:
    def tell(self: Any, values: Any, tasks: Any) -> Any:
        assert isinstance(tasks, tuple)
        return [[t.http_headers.get("X-Who"), t.http_method, t.data, len(t.task_id)] for t in tasks]

    client = make_client(tell, JsonInput())
    requests = [Request(b"%d" % i, {"X-Who": f"w{i}"}) for i in range(3)]
    requests.insert(1, Request(b"{bad", {}))
    answers = send_all(client, requests)
    assert answers[1].status_code == 400
    assert [a.json() for a in answers[:1] + answers[2:]] == [[f"w{i}", "POST", str(i), 36] for i in range(3)]


def test_discarded_tasks_have_their_own_answer() -> None:
    def discard(self: Any, values: Any, tasks: Any) -> Any:
        kept = []
        for value, task in zip(values, tasks, strict=True):
            if value < 0:
                task.discard("negative", http_status=406, http_headers=HTTPHeaders({"X-Why": "sign"}))
            else:
                kept.append(value)
        return kept

    answers = send_all(make_client(discard, JsonInput()), numbers(1, -1, 2, -2))
    assert [(a.status_code, a.text) for a in answers] == [
        (200, "1"),
        (406, "negative"),
        (200, "2"),
        (406, "negative"),
    ]
    assert answers[1].headers["X-Why"] == "sign"


def test_discard_in_single_mode() -> None:
    def discard(self: Any, value: Any, task: Any) -> Any:
        task.discard("no", http_status=400)
        return value

    answer = send(make_client(discard, JsonInput(), batch=False), b"1")
    assert (answer.status_code, answer.text) == (400, "no")


def test_a_bug_in_an_adapter_costs_only_its_item() -> None:
    class Odd(JsonInput):
        def decode(self, payload: Payload) -> Any:
            value = super().decode(payload)
            return 1 / value

    answers = send_all(make_client(echo, Odd()), numbers(2, 0, 4))
    assert [a.status_code for a in answers] == [200, 500, 200]
    assert "division" not in answers[1].text


class Shout(StringInput):
    """The documented custom adapter of the 0.13 line."""

    def extract_user_func_args(self, tasks: Any) -> Any:
        texts = []
        for task in tasks:
            if len(task.data) > 5:
                task.discard(err_msg="too long", http_status=400)
            else:
                task.batch = 2
                texts += [task.data.upper(), task.data.lower()]
        return (texts,)


def test_custom_adapter_sets_batch_and_discards() -> None:
    answers = send_all(
        make_client(echo, Shout()), [Request.build(data=text) for text in ("aB", "much too long", "Cd")]
    )
    assert [(a.status_code, a.text) for a in answers] == [
        (200, '["AB","ab"]'),
        (400, "too long"),
        (200, '["CD","cd"]'),
    ]


def test_custom_adapter_discarding_everything_calls_nothing() -> None:
    client = make_client(lambda self, texts: pytest.fail(), Shout())
    assert [a.status_code for a in send_all(client, [Request.build(data="much too long")] * 2)] == [400, 400]


class Reader(StringInput):
    def from_http_request(self, req: Any) -> Any:
        task = super().from_http_request(req)
        if req.headers.get("X-Token") != "secret":
            return task.discard("who are you", http_status=401)
        task.data = task.data + "!"
        return task


@pytest.mark.parametrize("batch", [True, False])
def test_custom_from_http_request(batch: bool) -> None:
    client = make_client(echo, Reader(), batch=batch)
    answers = send_all(
        client,
        [Request(b"a", {"X-Token": "secret"}), Request(b"b", {}), Request(b"\xff", {"X-Token": "secret"})],
    )
    assert [(a.status_code, a.text) for a in answers[:2]] == [(200, '"a!"'), (401, "who are you")]


def test_custom_output_adapter() -> None:
    class Packing(JsonOutput):
        def pack_user_func_return_value(self, return_result: Any, tasks: Any) -> Any:
            return [
                InferenceResult(data=f"<{r}>", http_status=200, task_id=t.task_id)
                for r, t in zip(return_result, tasks, strict=True)
            ]

    answers = send_all(make_client(echo, JsonInput(), output=Packing()), numbers(1, 2))
    assert [a.text for a in answers] == ["<1>", "<2>"]


def test_a_failing_output_adapter_gives_500_without_details() -> None:
    class Broken(JsonOutput):
        def encode(self, results: Any, rows: Any) -> Any:
            raise OSError("/secret/path")

    answer = send(make_client(echo, JsonInput(), output=Broken()), b"1")
    assert answer.status_code == 500
    assert "secret" not in answer.text


def test_async_function_in_batch_mode() -> None:
    async def double(self: Any, values: Any) -> Any:
        await asyncio.sleep(0)
        return [v * 2 for v in values]

    assert [a.json() for a in send_all(make_client(double, JsonInput()), numbers(1, 2, 3))] == [2, 4, 6]


def test_async_items_run_side_by_side() -> None:
    running, most = 0, 0

    async def slow(self: Any, value: Any) -> Any:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(3):
            await asyncio.sleep(0)
        running -= 1
        if value == 2:
            raise ValueError("two")
        return value

    answers = send_all(make_client(slow, JsonInput(), batch=False), numbers(1, 2, 3, 4))
    assert [a.status_code for a in answers] == [200, 500, 200, 200]
    assert most == 4


def test_a_cancelled_run_is_cancelled() -> None:
    async def forever(self: Any, value: Any) -> Any:
        await asyncio.Event().wait()

    pipeline = Pipeline(make_service(forever, JsonInput(), batch=False).inference_apis[0])

    async def main() -> None:
        run = asyncio.ensure_future(pipeline.run_async([Payload(b"1")]))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run

    asyncio.run(main())


def test_entry_points_of_the_013_line() -> None:
    from bentoml.types import HTTPRequest

    api = make_service(echo, JsonInput()).inference_apis[0]
    results = api.infer(
        [InferenceTask(data="1"), InferenceTask(data="{bad"), InferenceTask().discard("no", http_status=400)]
    )
    assert [(r.data, r.http_status) for r in results] == [("1", 200), (None, 400), (None, 400)]
    response = api.handle_request(HTTPRequest(HTTPHeaders({"Content-Type": "application/json"}), b"[1]"))
    assert (response.status, response.body) == (200, b"[1]")
    assert [r.status for r in api.handle_batch_request([HTTPRequest(body=b"1"), HTTPRequest(body=b"x")])] == [
        200,
        400,
    ]
