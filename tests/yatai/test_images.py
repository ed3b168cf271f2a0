"""Images built by the server: over the protocol, by the Python client and by the command."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from bentoml.cli.bundle_cli import create_bundle_cli
from bentoml.cli.main import commandline_interface
from bentoml.exceptions import FailedPrecondition, InvalidArgument, NotFound, PermissionDenied
from bentoml.repository.base import BundleRecord
from bentoml.settings import load_settings
from bentoml.yatai.access import LOCAL, WRITE, Caller
from bentoml.yatai.client import get_yatai_client
from bentoml.yatai.registry import Registry, open_registry
from tests.bundle.projects import ECHO_SERVICE, Project

from .conftest import Running
from .wire import Wire

SCRIPT = """#!{python}
import json, os, pathlib, sys, time
arguments = sys.argv[1:]
if arguments[0] != "push":
    assert (pathlib.Path(arguments[-1]) / "Dockerfile").is_file()
with open({calls!r}, "a") as file:
    file.write(json.dumps(arguments) + "\\n")
print("STEP 3/9: RUN make it", flush=True)
for word in arguments:
    if word.startswith("WAIT="):
        time.sleep(float(word[5:]))
if "FAIL=1" in arguments:
    print("x" * 5000)
    print("make: no rule to make it", {home!r})
    sys.exit(2)
"""


@pytest.fixture(autouse=True)
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The calls of a `buildah` that looks at its context, builds nothing and prints as the real one."""
    folder = tmp_path / "engine"
    folder.mkdir()
    script = folder / "buildah"
    home = os.environ.get("BENTOML_HOME", str(tmp_path / "home"))
    script.write_text(SCRIPT.format(python=sys.executable, calls=str(folder / "calls"), home=home))
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    return folder / "calls"


@pytest.fixture
def db_url() -> None:
    """SQLite alone: images have no tables of their own."""


@pytest.fixture(scope="session")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = Project(tmp_path_factory.mktemp("echo"))
    return project.write(**{"echo.py": ECHO_SERVICE}).save("echo", "Echo", pack="svc.set_version('2_A')").path


def calls(engine: Path) -> list[list[str]]:
    return [json.loads(line) for line in engine.read_text().splitlines()] if engine.exists() else []


@pytest.fixture
def pushed(server: Running, echo: Path) -> Running:
    get_yatai_client(server.address).repository.upload_from_dir(echo)
    return server


def test_old_and_new_clients_get_an_image(
    pushed: Running, wire: Wire, old_wire: Wire, engine: Path, home: Path
) -> None:
    for client in (wire, old_wire):
        answer = client.call(
            "ContainerizeBento",
            bento_name="Echo",
            bento_version="latest",
            tag="host:5000/team/e",
            build_args={"P": "a=b $(x)"},
            push=True,
        )
        assert answer["tag"] == "host:5000/team/e:2_A"
    build, push, *_ = calls(engine)
    assert build[:4] == ["build", "--format", "docker", "--label"]
    assert "P=a=b $(x)" in build
    assert push == ["push", "host:5000/team/e:2_A", "docker://host:5000/team/e:2_A"]
    event = pushed.registry.events.find(LOCAL)[0]
    assert (event.action, event.resource) == ("image.build", "Echo:2_A")
    assert event.details == {"image": "host:5000/team/e:2_A", "pushed": True}


def test_a_failing_step_is_told_to_the_client(pushed: Running, old_wire: Wire, home: Path) -> None:
    repository = get_yatai_client(pushed.address).repository
    with pytest.raises(FailedPrecondition, match="failed in the step `RUN make it`") as failure:
        repository.containerize("Echo:2_A", "e:1", {"FAIL": "1"})
    text = str(failure.value)
    assert "make: no rule to make it" in text
    assert len(text) < 1100
    assert str(home) not in text
    answer = old_wire.call(
        "ContainerizeBento", bento_name="Echo", bento_version="2_A", build_args={"FAIL": "1"}
    )
    assert answer["status"]["status_code"] == 9
    assert "RUN make it" in answer["status"]["error_message"]


def test_what_is_wrong_is_refused_before_anything_runs(
    pushed: Running, engine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = get_yatai_client(pushed.address).repository
    with pytest.raises(NotFound):
        repository.containerize("Echo:9", "e:1")
    for tag, arguments in (("A B", {}), ("--format", {}), ("e:1", {"a b": "1"}), ("e:1", {"A": "x\ny"})):
        with pytest.raises(InvalidArgument):
            repository.containerize("Echo:2_A", tag, arguments)
    assert calls(engine) == []
    monkeypatch.setenv("PATH", os.devnull)
    with pytest.raises(FailedPrecondition, match=r"This server builds no images.*not installed"):
        repository.containerize("Echo:2_A", "e:1")


def test_building_needs_the_scope_deploy(registry: Registry, add: Callable[..., BundleRecord]) -> None:
    add()
    with pytest.raises(PermissionDenied, match="scope 'deploy'"):
        registry.images.build(Caller("ci", frozenset([WRITE])), "Tiny", "1", None, {}, False)


def test_a_server_that_stops_ends_its_builds(
    home: Path, echo: Path, engine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    get_yatai_client().repository.upload_from_dir(echo)
    registry = open_registry(load_settings())
    failures: list[Exception] = []

    def build() -> None:
        try:
            registry.images.build(LOCAL, "Echo", "2_A", None, {"WAIT": "600"}, False)
        except FailedPrecondition as err:
            failures.append(err)

    threads = [threading.Thread(target=build) for _ in range(2)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 120
    while not calls(engine) and time.monotonic() < deadline:
        time.sleep(0.05)
    registry.images.cancel()
    for thread in threads:
        thread.join(120)
    assert [str(failure) for failure in failures] == ["The build was ended before it was finished"] * 2
    assert len(calls(engine)) == 1  # one at a time


def test_the_command_sends_it_to_the_server(pushed: Running, echo: Path, engine: Path) -> None:
    words = ["containerize", "Echo:latest", "-t", "e:1", "--push", "--yatai-url", pushed.address]
    done = CliRunner().invoke(commandline_interface, words)
    assert done.exit_code == 0, done.output
    assert f"Sending containerize RPC to YataiService at {pushed.address}" in done.output
    assert "Build container image: e:1" in done.output
    assert "Pushed container image: e:1" in done.output
    words = ["containerize", str(echo), "--yatai-url", pushed.address]
    done = CliRunner().invoke(commandline_interface, words)
    assert "Build container image: echo:2_A" in done.output, done.output


def test_engine_and_platforms_go_to_the_server(pushed: Running, echo: Path, engine: Path) -> None:
    words = ["containerize", "Echo:latest", "-t", "e:1", "--yatai-url", pushed.address]
    chosen = ["--builder", "buildah", "--platform", "linux/arm64"]
    done = CliRunner().invoke(commandline_interface, [*words, *chosen])
    assert done.exit_code == 0, done.output
    [build] = [call for call in calls(engine) if call[0] == "build"]
    assert "linux/arm64" in " ".join(build)
    event = pushed.registry.events.find(LOCAL)[0]
    assert event.details["platforms"] == ["linux/arm64"]
    for wrong, message in (
        (["--builder", "docker"], "docker"),  # it is not installed
        (["--builder", "oci", "-o", "x"], "leave out --yatai-url"),
        (["--platform", "somewhere"], "somewhere"),
    ):
        done = CliRunner().invoke(commandline_interface, [*words, *wrong])
        assert done.exit_code == 1, wrong
        assert message in done.output, wrong


def test_engine_that_the_server_has_set_is_not_changed(home: Path, echo: Path, engine: Path) -> None:
    registry = open_registry(load_settings(yatai__container_builder="buildah"))
    with pytest.raises(InvalidArgument, match=r"This server builds with buildah \(yatai.container_builder\)"):
        registry.images.build(LOCAL, "Echo", "2_A", None, {}, False, builder="docker")
    with pytest.raises(InvalidArgument, match="builds with docker, podman, buildah, not with 'oci'"):
        registry.images.build(LOCAL, "Echo", "2_A", None, {}, False, builder="oci")
    assert calls(engine) == []


def test_the_local_repository_builds_here(home: Path, echo: Path, engine: Path) -> None:
    repository = get_yatai_client().repository
    repository.upload_from_dir(echo)
    assert repository.containerize("Echo:latest", "team/e") == "team/e:2_A"
    assert len(calls(engine)) == 1
    with pytest.raises(NotFound):
        repository.containerize("Echo:1", "e")


def test_the_command_of_an_installed_bundle_builds_the_saved_one(
    home: Path, echo: Path, engine: Path
) -> None:
    command = create_bundle_cli(echo / "Echo")  # what pip installs
    done = CliRunner().invoke(command, ["containerize", "-t", "e:1"])
    assert done.exit_code == 1
    assert "An image is built from the saved bundle, and the repository has no Echo:2_A" in done.output
    get_yatai_client().repository.upload_from_dir(echo)
    done = CliRunner().invoke(command, ["containerize", "-t", "e:1"])
    assert done.exit_code == 0, done.output
    assert "Build container image: e:1" in done.output
    assert len(calls(engine)) == 1


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_build_that_says_nothing_for_minutes_keeps_its_connection(pushed: Running, engine: Path) -> None:
    """The client's pings meanwhile are as many as the server allows."""
    repository = get_yatai_client(pushed.address).repository
    assert repository.containerize("Echo:2_A", "e:1", {"WAIT": "200"}) == "e:1"
