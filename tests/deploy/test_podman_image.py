"""From a saved bundle to a container that serves; Podman itself builds the image (`make test-containers`)."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bentoml.deploy.base import Wanted
from bentoml.deploy.registry import Host, open_operator
from tests.bundle.projects import Project
from tests.environments.wheelhouse import needed_distributions, package_index, rebuild_wheel
from tests.server.live.process import until

from .conftest import some_ports
from .podman import Podman
from .test_local import post

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900), pytest.mark.xdist_group("podman")]

SERVICE = """
import bentoml
from bentoml.adapters import JsonInput

@bentoml.env(docker_base_image="localhost/python:1")
class Hello(bentoml.BentoService):
    @bentoml.api(input=JsonInput(), batch=False)
    def predict(self, value):
        return [value, bentoml.__file__]
"""


@pytest.fixture
def podman(tmp_path: Path) -> Iterator[Podman]:
    engine = Podman(tmp_path / "podman")
    engine.require_containers()
    yield engine
    engine.remove_everything()


def test_the_image_is_built_from_the_bundle_and_serves(
    podman: Podman, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    links = tmp_path / "links"
    links.mkdir()
    name = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    (links / name).symlink_to(Path(sys.base_prefix) / "bin" / name)  # and no `python`: pip gets its own
    podman.add_image("localhost/python:1", links, "ENV PATH=/content:/usr/sbin:/usr/bin:/bin")
    for name, value in podman.environment.items():
        monkeypatch.setenv(name, value)
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "home"))
    project = Project(tmp_path / "hello")
    project.write(**{"hello.py": SERVICE})
    bundle = project.save("hello", "Hello", pack="svc.set_version('1')").path
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for distribution in needed_distributions(["bentoml"]):
        rebuild_wheel(distribution, wheels)
    with package_index(wheels, tmp_path / "index") as index:
        config = {
            "network": "host",
            "build_args": {"EXTRA_PIP_INSTALL_ARGS": f"--index-url {index.url} --no-compile"},
            "start_within_s": 300,
        }
        operator = open_operator("podman", Host(tmp_path / "home" / "deployments", some_ports()))
        wanted = Wanted("dev", "hello", "Hello", "1", config, lambda: contextlib.nullcontext(bundle))
        data = operator.apply(wanted, {})
        try:
            until(lambda: operator.describe(wanted, data).state != "PENDING", 600, "the container")
        finally:
            log = "\n".join(operator.logs(wanted, data, 200))
        seen = operator.describe(wanted, data)
        assert seen.state == "RUNNING", log
        status, body = post(seen.info["endpoints"][0], "/predict", b'"me"')
        assert status == 200 and b"/opt/bentoml/" in body, body
        assert Path(f"/proc/{seen.info['process']}").stat().st_uid == 1034
        operator.apply(wanted, data, restart=True)
        until(lambda: operator.describe(wanted, data).info.get("serving_revision") == 2, 300)
        assert "is there already" in "\n".join(operator.logs(wanted, data, 200))
        image = seen.info["image"]
        operator.delete(wanted, data)
        assert image not in podman.run("images", "--format", "{{.Repository}}:{{.Tag}}")
