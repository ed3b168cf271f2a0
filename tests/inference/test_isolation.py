"""A failing batch is taken apart within a budget, so that one bad item fails alone (P3)."""

from __future__ import annotations

from typing import Any

import pytest
from contracts.probe import make_client, make_service
from hypothesis import given, settings
from hypothesis import strategies as st

from bentoml.adapters import JsonInput
from bentoml.inference.isolation import MAX_CALLS, Ledger, call_budget
from bentoml.inference.pipeline import Pipeline
from bentoml.testing import Client
from bentoml.types import Payload


class Model:
    """Fails whenever a batch has a value it cannot stand, and counts its calls."""

    def __init__(self, bad: set[int], error: type[BaseException] = ValueError) -> None:
        self.bad = bad
        self.error = error
        self.calls: list[int] = []

    def service(self, **options: Any) -> Any:
        def predict(service: Any, values: Any) -> Any:
            self.calls.append(len(values))
            found = self.bad.intersection(values)
            if found:
                raise self.error(f"cannot stand {min(found)}")
            return [v * 10 for v in values]

        return make_service(predict, JsonInput(), **options)


def ask(client: Client, *values: int) -> list[Any]:
    return client.post_many("/predict", [{"json": v} for v in values])


@pytest.mark.parametrize("place", [0, 1, 15, 16, 30, 31])
def test_p3_one_bad_among_31_good(place: int) -> None:
    model = Model({place})
    answers = ask(Client(model.service()), *range(32))
    assert [i for i, a in enumerate(answers) if a.status_code != 200] == [place]
    assert answers[place].text == f"Exception happened in API function: cannot stand {place}"
    assert [a.json() for a in answers if a.ok] == [v * 10 for v in range(32) if v != place]
    assert len(model.calls) <= 1 + call_budget(32)


def test_two_bad_items() -> None:
    answers = ask(Client(Model({3, 28}).service()), *range(32))
    bad = {i for i, a in enumerate(answers) if not a.ok}
    assert {3, 28} <= bad
    assert len(bad) <= 8


def test_a_good_batch_is_one_call() -> None:
    model = Model(set())
    assert all(a.ok for a in ask(Client(model.service()), *range(100)))
    assert model.calls == [100]


def test_isolation_can_be_switched_off() -> None:
    model = Model({3})
    answers = ask(Client(model.service(isolate=False)), *range(8))
    assert [a.status_code for a in answers] == [500] * 8
    assert model.calls == [8]


@pytest.mark.parametrize("isolate", [True, False])
def test_a_discarded_item_keeps_its_error_when_the_function_raises(isolate: bool) -> None:
    def predict(service: Any, values: Any, tasks: Any) -> Any:
        for value, task in zip(values, tasks, strict=True):
            if value < 0:
                task.discard("not below zero", http_status=422)
        raise RuntimeError("no model")

    client = Client(make_service(predict, JsonInput(), isolate=isolate))
    answers = ask(client, 1, -1, 2) + ask(client, -5)
    assert [a.status_code for a in answers] == [500, 422, 500, 422]
    assert answers[1].text == answers[3].text == "not below zero"


def test_the_number_of_calls_is_bounded() -> None:
    model = Model(set(range(0, 512, 2)))
    answers = ask(Client(model.service()), *range(512))
    assert len(model.calls) <= 1 + MAX_CALLS
    waiting = [a for a in answers if a.headers.get("Retry-After")]
    assert waiting
    assert all(a.status_code == 500 and "sent again" in a.text for a in waiting)


def test_a_systemic_failure_stops_early() -> None:
    class Broken(Model):
        def service(self, **options: Any) -> Any:
            def predict(service: Any, values: Any) -> Any:
                self.calls.append(len(values))
                raise RuntimeError("model is gone")

            return make_service(predict, JsonInput(), **options)

    model = Broken(set())
    answers = ask(Client(model.service()), *range(64))
    assert {a.text for a in answers} == {"Exception happened in API function: model is gone"}
    assert model.calls == [64, 32, 32, 16, 16, 16, 16]


def test_a_known_offender_is_kept_out_of_the_next_batch() -> None:
    model = Model({5})
    client = Client(model.service())
    ask(client, *range(16))
    model.calls.clear()
    answers = ask(client, *range(16))
    assert [i for i, a in enumerate(answers) if not a.ok] == [5]
    assert model.calls == [15, 1]


def test_out_of_memory_lowers_the_batch_size() -> None:
    calls: list[int] = []

    def predict(self: Any, values: Any) -> Any:
        calls.append(len(values))
        if len(values) > 8:
            raise MemoryError
        return values

    client = make_client(predict, JsonInput())
    assert all(a.ok for a in ask(client, *range(16)))
    assert calls == [16, 8, 8]
    calls.clear()
    assert all(a.ok for a in ask(client, *range(20)))
    assert calls == [8, 8, 4]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_time_for_isolation_is_a_tenth_of_the_clock() -> None:
    clock = Clock()
    ledger = Ledger(clock)
    assert ledger.may_isolate()
    ledger.charge(2.0)
    assert not ledger.may_isolate()
    clock.now = 9.9
    assert not ledger.may_isolate()
    clock.now = 10.1
    assert ledger.may_isolate()


def test_offenders_are_forgotten_after_a_minute_and_when_there_are_too_many() -> None:
    clock = Clock()
    ledger = Ledger(clock)
    payloads = [Payload(b"%d" % i) for i in range(2000)]
    for payload in payloads:
        ledger.note_poison(payload)
    assert len(ledger.suspects(payloads, range(2000))) == 1024
    clock.now = 61.0
    assert ledger.suspects(payloads, range(2000)) == []


def test_the_cap_grows_back() -> None:
    ledger = Ledger(Clock())
    ledger.note_out_of_memory(16)
    assert ledger.cap == 8
    for _ in range(200):
        ledger.note_good()
    assert ledger.cap == 10


@settings(max_examples=60, deadline=None)
@given(st.sets(st.integers(0, 63), max_size=3), st.integers(1, 64))
def test_no_good_item_gets_a_wrong_answer(bad: set[int], size: int) -> None:
    model = Model(bad)
    pipeline = Pipeline(model.service().inference_apis[0])
    replies = pipeline.run([Payload(b"%d" % i) for i in range(size)])
    assert len(replies) == size
    for i, reply in enumerate(replies):
        if i in bad:
            assert reply.error
        elif not reply.error:
            assert reply.body == b"%d" % (i * 10)
    if len(bad & set(range(size))) <= 1:
        assert {i for i, r in enumerate(replies) if r.error} == bad & set(range(size))
