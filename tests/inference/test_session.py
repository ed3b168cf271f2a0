"""Hooks and the event loop of a service in use outside a server."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

import bentoml
from bentoml.adapters import JsonInput
from bentoml.inference.cli_run import run_cli
from bentoml.inference.session import Session
from bentoml.testing import Client


class Connected(bentoml.BentoService):
    """Opens something on an event loop in a hook and uses it in a function, as clients of stores do."""

    events: list[str]

    @bentoml.on_worker_start
    async def connect(self) -> None:
        self.events = ["connect"]
        self.loop = asyncio.get_running_loop()
        self.caller = threading.get_ident()

    @bentoml.on_worker_stop
    def disconnect(self) -> None:
        self.events.append("disconnect")

    @bentoml.api(input=JsonInput())
    async def look_up(self, value: Any) -> Any:
        assert asyncio.get_running_loop() is self.loop
        self.events.append("look up")
        return [value, "found"]

    @bentoml.api(input=JsonInput(), batch=True)
    def scale(self, values: Any) -> Any:
        self.events.append(f"scale {threading.current_thread() is threading.main_thread()}")
        return [v * 2 for v in values]


def test_run_prepares_an_async_service_as_a_worker_does(capsys: pytest.CaptureFixture[str]) -> None:
    service = Connected()
    api = service.get_inference_api("look_up")
    assert run_cli(api, ["--input", "1", "2", "--max-batch-size", "1"]) == 0
    assert capsys.readouterr().out == '[1, "found"]\n[2, "found"]\n'
    assert service.events == ["connect", "look up", "look up", "disconnect"]


def test_run_calls_plain_functions_in_the_main_thread(capsys: pytest.CaptureFixture[str]) -> None:
    service = Connected()
    assert run_cli(service.get_inference_api("scale"), ["--input", "4"]) == 0
    assert capsys.readouterr().out == "8\n"
    assert service.events == ["connect", "scale True", "disconnect"]


def test_wrong_flags_start_nothing() -> None:
    service = Connected()
    assert run_cli(service.get_inference_api("scale"), ["--no-such-flag"]) == 2
    assert not hasattr(service, "events")


def test_the_test_client_shares_the_loop_with_the_hooks() -> None:
    service = Connected()
    with Client(service) as client:
        assert client.post("/look_up", json=3).json() == [3, "found"]
    assert service.events == ["connect", "look up", "disconnect"]


def test_a_stop_hook_that_raises_still_closes_the_session() -> None:
    class Stuck(bentoml.BentoService):
        @bentoml.on_worker_stop
        async def stop(self) -> None:
            raise ConnectionError("gone")

    session = Session(Stuck())
    session.open()
    with pytest.raises(ConnectionError, match="gone"):
        session.close()
    assert not any(t.name.startswith("bentoml-session") and t.is_alive() for t in threading.enumerate())
