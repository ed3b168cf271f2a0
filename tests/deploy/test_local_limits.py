"""Logs that are put aside, ports that run out, services in environments of their own."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from bentoml.deploy.local.operator import LocalOperator
from bentoml.deploy.machine.directory import DeploymentDirectory
from bentoml.deploy.machine.log_file import RotatingLog, tail
from bentoml.deploy.machine.ports import choosing_port, free_port, planned_ports
from bentoml.deploy.registry import Host
from bentoml.environments.installers import find_uv
from bentoml.exceptions import FailedPrecondition
from tests.bundle.projects import Project
from tests.environments.conftest import SERVICE, add_made_up_packages
from tests.environments.wheelhouse import needed_distributions, package_index, rebuild_wheel
from tests.server.live.process import free_port as any_free_port
from tests.server.live.process import until

from .conftest import Want, until_running
from .test_local import post

LOUD = b'{"do": "raise", "text": "%s"}' % (b"x" * 200)


def test_a_loud_service_fills_a_bounded_number_of_files(
    operator: LocalOperator, want: Want, home: Path
) -> None:
    wanted = want(log_bytes=4096, log_files=2)
    operator.apply(wanted, {})
    [endpoint] = until_running(operator, wanted)["endpoints"]
    directory = DeploymentDirectory(home / "deployments" / "dev" / "iris")
    older = directory.log.with_name("service.log.2")

    def loud() -> bool:
        post(endpoint, "/boom", LOUD)
        return older.exists()

    until(loud, 90, "the second file that was put aside")
    for _ in range(20):
        post(endpoint, "/boom", LOUD)
    wanted_names = {"service.log", "service.log.1", "service.log.2"}
    until(lambda: {path.name for path in directory.logs.glob("service.log*")} == wanted_names, 30)
    sizes = [os.path.getsize(directory.logs / name) for name in sorted(wanted_names - {"service.log.1"})]
    assert max(sizes) <= 4096 + 65536  # a line is never split
    lines = operator.logs(wanted, {}, 30)
    assert lines and len(lines) <= 30
    assert post(endpoint)[0] == 200


def test_a_log_is_read_across_its_files_and_keeps_no_more_than_asked(tmp_path: Path) -> None:
    path = tmp_path / "service.log"
    log = RotatingLog(path, 100, 2)
    for number in range(40):
        log.write(b"line %02d\n" % number)
    log.close()
    assert {found.name for found in tmp_path.iterdir()} == {"service.log", "service.log.1", "service.log.2"}
    assert tail(path, 3) == ["line 37", "line 38", "line 39"]
    assert tail(path, 14)[0] == "line 26"
    assert all(found.stat().st_size <= 100 for found in tmp_path.iterdir())
    again = RotatingLog(path, 100, 0)
    for _ in range(30):
        again.write(b"x" * 20)
    again.close()
    assert path.stat().st_size <= 100


def test_P16_a_full_disk_loses_lines_not_the_service(tmp_path: Path) -> None:
    log = RotatingLog(Path("/dev/full"), 1000, 1) if os.path.exists("/dev/full") else None
    if log is None:
        pytest.skip("no /dev/full here")
    log.write(b"lost\n")
    log.close()


def test_ports_run_out_with_a_message_and_come_back(home: Path, want: Want) -> None:
    port = any_free_port()
    operator = LocalOperator(Host(home / "deployments", (port, port)))
    first, second = want(), want()
    second = type(second)("dev", "second", "Probe", "1", second.config, second.files)
    assert operator.apply(first, {})["port"] == port
    with pytest.raises(FailedPrecondition, match=rf"No port of {port}-{port} is free on 127\.0\.0\.1.*widen"):
        operator.apply(second, {})
    assert operator.describe(second, {}).drift == ("it is not there",)
    operator.delete(first, {})
    assert operator.apply(second, {})["port"] == port
    operator.delete(second, {})


def test_P7_deployments_that_begin_at_once_get_ports_of_their_own(tmp_path: Path) -> None:
    chosen: list[int] = []

    def begin(number: int) -> None:
        with choosing_port(tmp_path):
            port = free_port("127.0.0.1", (20000, 29999), planned_ports(tmp_path))
            directory = DeploymentDirectory(tmp_path / "dev" / f"made-{number}")
            directory.make()
            directory.write_plan({"port": port})
            chosen.append(port)

    threads = [threading.Thread(target=begin, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(chosen)) == 16


@pytest.mark.skipif(find_uv() is None, reason="uv is not installed")
def test_an_isolated_service_runs_with_the_packages_of_its_bundle(
    operator: LocalOperator, want: Want, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It needs a package that only its own environment has."""
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for distribution in needed_distributions(["bentoml"]):
        rebuild_wheel(distribution, wheels)
    add_made_up_packages(wheels)
    project = Project(tmp_path / "hello")
    project.write(**{"hello.py": SERVICE})
    bundle = project.save("hello", "Hello", pack="svc.set_version('1')").path
    with package_index(wheels, tmp_path / "index") as index:
        for name, value in index.environment().items():
            monkeypatch.setenv(name, value)
        wanted = want(bundle=bundle, isolated=True, grace_s=5)
        operator.apply(wanted, {})
        info = until(
            lambda: (seen := operator.describe(wanted, {})).state == "RUNNING" and seen.info,
            240,
            "the isolated service",
        )
        status, body = post(dict(info or {})["endpoints"][0], "/predict", b'"me"')
        assert status == 200 and b"from 1.5" in body and b"/environments/" in body
        operator.apply(wanted, {}, restart=True)
        until_running(operator, wanted, revision=2)
        operator.delete(wanted, {})
