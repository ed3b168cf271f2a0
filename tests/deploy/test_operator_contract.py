"""What every operator of this machine keeps to: with processes, and with containers of a real Podman."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bentoml.deploy.base import Observed, Operator, Wanted
from bentoml.deploy.machine.directory import DeploymentDirectory
from bentoml.deploy.registry import Host, open_operator
from bentoml.exceptions import InvalidArgument
from tests.server.live.process import is_running, until

from .conftest import end_keepers, some_ports
from .podman import Podman
from .test_local import Load, post

WITHIN_S = 120.0


@dataclass
class Bench:
    """An operator with a service that works and one that does not."""

    name: str
    operator: Operator
    root: Path
    good: Path
    broken: Path
    config: dict[str, Any] = field(default_factory=dict)
    broken_config: dict[str, Any] = field(default_factory=dict)

    def want(self, version: str = "1", broken: bool = False, **config: Any) -> Wanted:
        bundle = self.broken if broken else self.good
        fixed = {**self.config, **(self.broken_config if broken else {})}
        return Wanted(
            "dev", "iris", "Probe", version, {**fixed, **config}, lambda: contextlib.nullcontext(bundle)
        )

    def until(self, wanted: Wanted, state: str, revision: int | None = None) -> Observed:
        def there() -> Observed | None:
            seen = self.operator.describe(wanted, {})
            is_it = revision is None or seen.info.get("serving_revision") == revision
            return seen if seen.state == state and is_it else None

        try:
            found = until(there, WITHIN_S, f"{state} of revision {revision}")
        except AssertionError as err:
            seen = self.operator.describe(wanted, {})
            log = "\n".join(self.operator.logs(wanted, {}, 50))
            raise AssertionError(f"{err}\n{seen}\n{log}") from None
        assert found is not None
        return found

    @property
    def directory(self) -> DeploymentDirectory:
        return DeploymentDirectory(self.root / "dev" / "iris")


@pytest.fixture(params=["local", pytest.param("podman", marks=pytest.mark.xdist_group("podman"))])
def bench(
    request: pytest.FixtureRequest,
    home: Path,
    probe_bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[Bench]:
    root, broken = home / "deployments", tmp_path / "broken"
    broken.mkdir()
    config: dict[str, Any] = {"grace_s": 10}
    broken_config: dict[str, Any] = {}
    if request.param == "podman":
        engine: Podman = request.getfixturevalue("podman")
        for name, value in engine.environment.items():
            monkeypatch.setenv(name, value)
        config.update(image="localhost/probe:1", network="host", start_within_s=WITHIN_S)
        broken_config.update(image="localhost/broken:1")
    operator = open_operator(request.param, Host(root, some_ports()))
    found = Bench(request.param, operator, root, probe_bundle, broken, config, broken_config)
    yield found
    end_keepers(root)
    if request.param == "podman":
        engine.remove_everything()


def test_a_service_is_created_looked_at_and_deleted(bench: Bench) -> None:
    wanted = bench.want(environment={"GREETING": "a b=c"})
    assert bench.operator.plan(wanted, {}).action == "create"
    data = bench.operator.apply(wanted, {})
    seen = bench.until(wanted, "RUNNING")
    [endpoint] = seen.info["endpoints"]
    assert seen.drift == () and endpoint == f"http://127.0.0.1:{data['port']}"
    assert post(endpoint)[0] == 200
    counted = bench.operator.metrics(wanted, data)
    assert counted is not None and (counted.requests, counted.workers) == (1, 1)
    assert counted.memory_bytes is not None and counted.memory_bytes > 1 << 20
    assert counted.cpu_s is not None and counted.buckets
    variables = Path(f"/proc/{seen.info['process']}/environ").read_bytes().split(b"\0")
    assert b"GREETING=a b=c" in variables
    assert any("Running on" in line for line in bench.operator.logs(wanted, data, 200))
    assert len(bench.operator.logs(wanted, data, 2)) == 2
    assert bench.operator.plan(wanted, data).action == "nothing"
    assert bench.operator.apply(wanted, data) == data
    bench.operator.delete(wanted, data)
    assert not is_running(seen.info["process"])
    assert not bench.directory.path.exists()
    assert bench.operator.describe(wanted, data).drift == ("it is not there",)
    bench.operator.delete(wanted, data)


def test_a_change_and_a_restart_keep_the_port(bench: Bench) -> None:
    bench.operator.apply(bench.want(), {})
    first = bench.until(bench.want(), "RUNNING", 1)
    changed = bench.want(workers=2)
    assert bench.operator.describe(changed, {}).drift == ("workers: None → 2 is not applied",)
    assert bench.operator.plan(changed, {}).changes == ("workers: None → 2",)
    bench.operator.apply(changed, {})
    second = bench.until(changed, "RUNNING", 2)
    bench.operator.apply(changed, {}, restart=True)
    third = bench.until(changed, "RUNNING", 3)
    assert first.info["endpoints"] == second.info["endpoints"] == third.info["endpoints"]
    assert len({seen.info["process"] for seen in (first, second, third)}) == 3
    until(lambda: not is_running(first.info["process"]), 60, "the end of the first")


def test_P1_delete_answers_what_was_sent(bench: Bench) -> None:
    bench.operator.apply(bench.want(), {})
    [endpoint] = bench.until(bench.want(), "RUNNING").info["endpoints"]
    with Load(endpoint, threads=2) as load:
        until(lambda: load.answered > 10, 60)
        slow_body = b'{"id": "slow", "ms": 1500}'
        assert post(endpoint, "/slow", slow_body)[0] == 200
    assert load.problems == []
    bench.operator.delete(bench.want(), {})


def test_a_broken_update_leaves_the_old_version_serving(bench: Bench) -> None:
    bench.operator.apply(bench.want(), {})
    bench.until(bench.want(), "RUNNING", 1)
    broken = bench.want("2", broken=True)
    bench.operator.apply(broken, {})
    until(lambda: "could not start" in bench.operator.describe(broken, {}).error_message, WITHIN_S)
    seen = bench.until(broken, "RUNNING", 1)
    assert "exit code" in seen.error_message and "revision 1 goes on serving" in seen.error_message
    assert seen.drift == ("revision 1 (Probe:1) serves, 2 is wanted",)
    assert post(seen.info["endpoints"][0])[0] == 200
    bench.operator.apply(bench.want(), {})
    assert bench.until(bench.want(), "RUNNING", 3).error_message == ""


def test_P2_a_killed_service_comes_back_on_its_port(bench: Bench) -> None:
    wanted = bench.want(**({"restart_pause_s": 0.1} if bench.name == "local" else {}))
    data = bench.operator.apply(wanted, {})
    first = bench.until(wanted, "RUNNING")
    os.kill(first.info["process"], signal.SIGKILL)

    def again() -> Observed | None:
        nonlocal data
        data = bench.operator.resume(wanted, data)
        seen = bench.operator.describe(wanted, data)
        is_new = seen.info.get("process") not in (None, first.info["process"])
        return seen if seen.state == "RUNNING" and is_new else None

    second = until(again, WITHIN_S, "the service's return")
    assert second is not None and second.info["endpoints"] == first.info["endpoints"]
    assert second.info["restarts"] >= 1


def test_suspended_services_come_back_with_the_server(bench: Bench) -> None:
    data = bench.operator.apply(bench.want(), {})
    first = bench.until(bench.want(), "RUNNING")
    bench.operator.suspend(bench.want(), data)
    assert not is_running(first.info["process"])
    assert bench.operator.describe(bench.want(), data).drift != ()
    open_operator(bench.name, Host(bench.root)).resume(bench.want(), data)
    assert bench.until(bench.want(), "RUNNING").info["endpoints"] == first.info["endpoints"]


@pytest.mark.parametrize(
    ("config", "message"),
    [({"worker": 2}, "Did you mean 'workers'"), ({"port": 0}, "'port'"), ({"grace_s": -1}, "'grace_s'")],
)
def test_wrong_options_change_nothing(bench: Bench, config: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        bench.operator.apply(bench.want(**config), {})
    assert not bench.directory.path.exists()


def test_podman_containers_that_somebody_changes_are_drift_and_are_made_again(bench: Bench) -> None:
    if bench.name != "podman":
        pytest.skip("about containers")
    data = bench.operator.apply(bench.want(), {})
    seen = bench.until(bench.want(), "RUNNING")
    name = seen.info["container"]

    def by_hand(*words: str) -> None:
        subprocess.run(["podman", *words], check=True, capture_output=True)

    by_hand("stop", "--time=5", name)
    stopped = bench.operator.describe(bench.want(), data)
    assert (stopped.state, stopped.drift) == ("PENDING", ("its container is exited",))
    data = bench.operator.resume(bench.want(), data)
    assert data["failures"] == 1
    bench.until(bench.want(), "RUNNING")
    by_hand("rm", "--force", "--time=5", name)
    assert bench.operator.describe(bench.want(), data).drift == (f"its container {name} is not there",)
    data = bench.operator.resume(bench.want(), {})
    bench.until(bench.want(), "RUNNING")


def test_podman_service_that_never_starts_is_an_error_with_its_last_words(bench: Bench) -> None:
    if bench.name != "podman":
        pytest.skip("about containers")
    wanted = bench.want(broken=True)
    data = bench.operator.apply(wanted, {})
    seen = bench.until(wanted, "ERROR")
    assert "ended with exit code 3: no model here" in seen.error_message
    assert "no model here" in "\n".join(bench.operator.logs(wanted, data, 50))
    missing = bench.want("2", image="localhost/absent:1")
    bench.operator.apply(missing, data)
    until(lambda: "absent" in bench.operator.describe(missing, {}).error_message, WITHIN_S)
    bench.operator.apply(bench.want(), data)
    assert bench.until(bench.want(), "RUNNING").drift == ()
