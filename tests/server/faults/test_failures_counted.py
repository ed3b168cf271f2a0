"""What kept requests from an answer of their API is counted (`mb_request_exception_total` of 0.13)."""

from __future__ import annotations

import os
import re
from pathlib import Path
from signal import SIGKILL

import pytest

from tests.server.live.process import ServerProcess, serving, until
from tests.server.live.wire import JSON, Wire, get, post, request

pytestmark = pytest.mark.timeout(300)


def counted(server: ServerProcess) -> dict[tuple[str, str], float]:
    text = get(server.port, "/metrics").body.decode()
    found = re.findall(
        r'^BENTOML_Probe_mb_request_exception_total\{endpoint="(\w+)",exception_class="(\w+)"\} (\S+)$',
        text,
        re.MULTILINE,
    )
    return {(endpoint, name): float(value) for endpoint, name, value in found}


def test_timeouts_and_deaths_are_counted_by_api(probe_bundle: Path, tmp_path: Path) -> None:
    with serving(probe_bundle, tmp_path) as server:
        assert post(server.port, "/echo", 1).status == 200
        assert counted(server) == {}
        answer = post(server.port, "/slow1", {"ms": 1000}, {"X-Request-Timeout-Ms": "50"})
        assert answer.status == 504
        with Wire(server.port) as wire:
            wire.send(request("/slow1", b'{"id": "killed", "ms": 20000}', headers=JSON))
            pid = until(lambda: [pid for pid, item in server.executions("slow1") if item == "killed"], 60)[0]
            os.kill(pid, SIGKILL)
            assert wire.answer().status == 503
        assert counted(server) == {("slow1", "TimeoutError"): 1, ("slow1", "WorkerDied"): 1}
