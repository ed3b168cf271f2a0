"""Services as processes: started, replaced, killed, adopted again, ended; nothing is lost on purpose."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bentoml.deploy.local.operator import LocalOperator
from bentoml.deploy.machine.directory import DeploymentDirectory
from bentoml.deploy.registry import Host
from bentoml.exceptions import InvalidArgument
from tests.server.live.process import is_running, until

from .conftest import Want, until_running


def post(endpoint: str, path: str = "/echo", body: bytes = b'{"id": "a"}') -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=60)
    try:
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


class Load:
    """Requests one after another from several threads, until it is stopped."""

    def __init__(self, endpoint: str, threads: int = 4) -> None:
        self.answered = 0
        self.problems: list[str] = []
        self._endpoint = endpoint
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(threads)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                status, body = post(self._endpoint)
                if status != 200:
                    self.problems.append(f"{status} {body[:100]!r}")
            except (OSError, http.client.HTTPException) as err:
                self.problems.append(repr(err))
            self.answered += 1


def test_a_service_is_started_counted_and_deleted(operator: LocalOperator, want: Want, home: Path) -> None:
    wanted = want()
    assert operator.plan(wanted, {}).action == "create"
    data = operator.apply(wanted, {})
    info = until_running(operator, wanted)
    assert info["endpoints"] == [f"http://127.0.0.1:{data['port']}"]
    assert operator.plan(wanted, data).action == "nothing"
    assert post(info["endpoints"][0])[0] == 200
    counted = operator.metrics(wanted, data)
    assert counted is not None and (counted.requests, counted.workers) == (1, 1)
    assert any("revision 1 serves" in line for line in operator.logs(wanted, data, 100))
    operator.delete(wanted, data)
    assert not is_running(info["process"])
    assert not list((home / "deployments").glob("[!.]*"))


def test_P11_an_update_and_a_restart_lose_no_request(operator: LocalOperator, want: Want) -> None:
    operator.apply(want(), {})
    info = until_running(operator, want())
    with Load(info["endpoints"][0]) as load:
        until(lambda: load.answered > 20, 60)
        changed = want(workers=2)
        assert operator.plan(changed, {}).changes == ("workers: None → 2",)
        operator.apply(changed, {})
        until_running(operator, changed, revision=2)
        operator.apply(changed, {}, restart=True)
        after = until_running(operator, changed, revision=3)
        seen = load.answered
        until(lambda: load.answered > seen + 20, 60)
    assert load.problems == []
    assert after["process"] != info["process"]
    assert after["endpoints"] == info["endpoints"]


def test_P1_delete_answers_what_was_sent(operator: LocalOperator, want: Want) -> None:
    operator.apply(want(), {})
    info = until_running(operator, want())
    answers: list[tuple[int, bytes]] = []
    slow = threading.Thread(
        target=lambda: answers.append(post(info["endpoints"][0], "/slow", b'{"id": "s", "ms": 4000}'))
    )
    slow.start()
    until(lambda: (operator.metrics(want(), {}) or _none()).in_progress > 0, 60, "the slow request")
    operator.delete(want(), {})
    slow.join()
    assert [status for status, _ in answers] == [200]


def test_P2_a_killed_service_is_started_again_on_its_port(operator: LocalOperator, want: Want) -> None:
    operator.apply(want(), {})
    info = until_running(operator, want())
    os.kill(info["process"], signal.SIGKILL)
    until(lambda: operator.describe(want(), {}).info.get("restarts") == 1, 60)
    again = until_running(operator, want())
    assert again["process"] != info["process"]
    assert again["endpoints"] == info["endpoints"]
    assert "killed by signal 9" in again["last_exit"]
    assert post(again["endpoints"][0])[0] == 200


def test_P21_a_killed_keeper_leaves_no_service_and_is_replaced(
    operator: LocalOperator, want: Want, home: Path
) -> None:
    operator.apply(want(), {})
    info = until_running(operator, want())
    directory = DeploymentDirectory(home / "deployments" / "dev" / "iris")
    os.kill(directory.keeper_pid() or 0, signal.SIGKILL)
    until(lambda: not is_running(info["process"]), 60, "the end of the service")
    assert operator.describe(want(), {}).drift == ("it does not run",)
    LocalOperator(Host(home / "deployments")).resume(want(), {})
    again = until_running(operator, want())
    assert again["endpoints"] == info["endpoints"]


def test_a_service_that_cannot_start_is_a_crash_loop_with_its_reason(
    operator: LocalOperator, want: Want, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    wanted = want(bundle=broken, restart_pause_s=0.1, longest_pause_s=0.2)
    data = operator.apply(wanted, {})
    until(lambda: operator.describe(wanted, data).state == "CRASH_LOOP_BACK_OFF", 90)
    assert "could not start: ended with exit code 1" in operator.describe(wanted, data).error_message
    status, body = post(f"http://127.0.0.1:{data['port']}")
    assert (status, b"starting" in body) == (503, True)
    operator.delete(wanted, data)


def test_a_broken_update_leaves_the_old_version_serving(
    operator: LocalOperator, want: Want, tmp_path: Path
) -> None:
    operator.apply(want(), {})
    info = until_running(operator, want())
    broken = tmp_path / "broken"
    broken.mkdir()
    wanted = want("2", broken)
    operator.apply(wanted, {})
    until(lambda: "could not start" in operator.describe(wanted, {}).error_message, 90)
    seen = operator.describe(wanted, {})
    assert seen.state == "RUNNING"
    assert seen.drift == ("revision 1 (Probe:1) serves, 2 is wanted",)
    assert post(info["endpoints"][0])[0] == 200
    operator.apply(want(), {})
    assert until_running(operator, want(), revision=3)["serving"] == "Probe:1"


def test_ports_are_chosen_apart_and_a_taken_one_is_refused(operator: LocalOperator, want: Want) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(InvalidArgument, match="another program listens there"):
            operator.apply(want(port=port), {})


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"worker": 2}, "no option 'worker'. Did you mean 'workers'"),
        ({"workers": 0}, "'workers' of the operator 'local' is 0"),
        ({"port": "x"}, "'port' of the operator 'local' is 'x'"),
        ({"environment": {"A=B": "c"}}, "is no name of an environment variable"),
    ],
)
def test_wrong_options_are_named(
    operator: LocalOperator, want: Want, config: dict[str, object], message: str
) -> None:
    with pytest.raises(InvalidArgument, match=message):
        operator.plan(want(**config), {})


class _none:
    in_progress = 0.0
