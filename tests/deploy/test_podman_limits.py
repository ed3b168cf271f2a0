"""Containers with limits and a network of their own, by a real Podman: the kernel holds what is asked for."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bentoml.deploy.base import Observed, Operator, Wanted
from bentoml.deploy.registry import Host, open_operator
from tests.server.live.process import until

from .conftest import some_ports
from .podman import Podman
from .test_local import post

pytestmark = pytest.mark.xdist_group("podman")
GROUPS = Path("/sys/fs/cgroup")
MEMORY_BYTES = 600 << 20


@pytest.fixture(scope="module")
def walled(tmp_path_factory: pytest.TempPathFactory, probe_bundle: Path) -> Iterator[Podman]:
    engine = Podman(tmp_path_factory.mktemp("walled"), walled=True)
    engine.require_containers()
    engine.add_bundle("localhost/probe:1", probe_bundle)
    yield engine
    engine.close()


@pytest.fixture
def operator(walled: Podman, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Operator]:
    for name, value in walled.environment.items():
        monkeypatch.setenv(name, value)
    found = open_operator("podman", Host(home / "deployments", some_ports()))
    yield found
    found.delete(want(home), {})  # whatever a failed test left: its keeper, before its container
    walled.remove_everything()


def want(bundle: Path, **config: Any) -> Wanted:
    fixed = {"image": "localhost/probe:1", "grace_s": 5, "start_within_s": 120}
    return Wanted("dev", "iris", "Probe", "1", {**fixed, **config}, lambda: contextlib.nullcontext(bundle))


def running(operator: Operator, wanted: Wanted) -> Observed:
    def there() -> Observed | None:
        seen = operator.describe(wanted, {})
        return seen if seen.state == "RUNNING" else None

    try:
        found = until(there, 120, "the container")
    except AssertionError as err:
        log = "\n".join(operator.logs(wanted, {}, 50))
        raise AssertionError(f"{err}\n{operator.describe(wanted, {})}\n{log}") from None
    assert found is not None
    return found


def limit(process: int, controller: str, old: str, new: str) -> str:
    """What the kernel holds for a process, in either layout of control groups."""
    for line in Path(f"/proc/{process}/cgroup").read_text().splitlines():
        _, names, group = line.split(":", 2)
        if controller in names.split(","):
            return (GROUPS / controller / group.lstrip("/") / old).read_text().strip()
        if not names and (GROUPS / group.lstrip("/") / new).exists():
            return (GROUPS / group.lstrip("/") / new).read_text().strip()
    raise AssertionError(f"{process} is in no group of {controller}")


def test_limits_are_those_of_the_kernel(operator: Operator, probe_bundle: Path) -> None:
    wanted = want(probe_bundle, memory=f"{MEMORY_BYTES >> 20}m", cpus=1.5)
    data = operator.apply(wanted, {})
    seen = running(operator, wanted)
    assert post(seen.info["endpoints"][0])[0] == 200
    process = int(seen.info["process"])
    assert limit(process, "memory", "memory.limit_in_bytes", "memory.max") == str(MEMORY_BYTES)
    quota = limit(process, "cpu", "cpu.cfs_quota_us", "cpu.max").split()
    period = quota[1] if len(quota) > 1 else limit(process, "cpu", "cpu.cfs_period_us", "cpu.max")
    assert int(quota[0]) / int(period) == 1.5
    operator.delete(wanted, data)


def test_without_limits_there_are_none(operator: Operator, probe_bundle: Path) -> None:
    wanted = want(probe_bundle)
    data = operator.apply(wanted, {})
    process = int(running(operator, wanted).info["process"])
    held = limit(process, "memory", "memory.limit_in_bytes", "memory.max")
    assert held == "max" or int(held) > 1 << 50
    operator.delete(wanted, data)


def test_bridge_publishes_one_port_on_one_address(operator: Operator, probe_bundle: Path) -> None:
    wanted = want(probe_bundle)
    data = operator.apply(wanted, {})
    seen = running(operator, wanted)
    [endpoint] = seen.info["endpoints"]
    assert endpoint == f"http://127.0.0.1:{data['port']}"
    assert post(endpoint)[0] == 200
    inner = os.readlink(f"/proc/{seen.info['process']}/ns/net")
    assert inner != os.readlink("/proc/self/ns/net")
    with pytest.raises(OSError):  # the port inside is not one of this machine
        socket.create_connection(("127.0.0.1", 5000), timeout=2).close()
    with pytest.raises(OSError):  # and the published one is on no other address
        socket.create_connection((own_address(), data["port"]), timeout=2).close()
    assert operator.metrics(wanted, data) is not None
    operator.apply(wanted, data, restart=True)
    until(lambda: operator.describe(wanted, data).info.get("serving_revision") == 2, 120)
    assert running(operator, wanted).info["endpoints"] == [endpoint]
    assert post(endpoint)[0] == 200
    operator.delete(wanted, data)
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", data["port"]), timeout=2).close()


def own_address() -> str:
    """Another address of this machine than 127.0.0.1; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.2"
