"""The management server: its image on a mounted home, and images that it builds; with a real buildah."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from bentoml.containers.yatai_files import HEALTH
from tests.environments.wheelhouse import package_index

from .real import Container, run, running

pytestmark = [pytest.mark.containers, pytest.mark.timeout(2400)]

OWNER = 4321


@pytest.fixture(scope="module")
def image(work: Path, engine: dict[str, str], base: str, real_wheels: Path) -> str:
    with package_index(real_wheels, work / "yatai-index") as index:
        output = run(
            "bentoml", "yatai", "containerize", "-t", "localhost/yatai:1", "--builder", "buildah",
            "--base-image", base,
            "--build-arg", f"EXTRA_PIP_INSTALL_ARGS=--index-url {index.url} --no-compile",
            cwd=work, env=engine,
        )  # fmt: skip
        assert not index.asked_for("bentoml")
    assert "Build container image: localhost/yatai:1" in output
    return "localhost/yatai:1"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def healthy(web_port: int) -> bool:
    """What the image's HEALTHCHECK runs."""
    done = subprocess.run(
        [sys.executable, "-c", HEALTH],
        env={"BENTOML_WEB_UI_PORT": str(web_port)},
        capture_output=True,
        timeout=60,
    )
    return done.returncode == 0


def page(url: str, token: str) -> str:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return str(answer.read().decode())


def test_it_has_the_drivers_of_databases_and_stores(image: str, work: Path, engine: dict[str, str]) -> None:
    """The extras that the Dockerfile names, as pip installed them in the image."""
    asked = "import psycopg, s3fs, gcsfs, grpc; print('drivers', psycopg.pq.__impl__, s3fs.__version__)"
    with running(image, engine, work, ["python", "-c", asked], user="0:0") as container:
        assert container.process.wait(120) == 0, container.text
    assert "drivers binary" in container.text


def test_it_keeps_bundles_in_the_mounted_home(
    image: str, iris: str, work: Path, engine: dict[str, str]
) -> None:
    config = json.loads(run("buildah", "inspect", "--type", "image", image, env=engine))["Docker"]["config"]
    assert set(config["ExposedPorts"]) == {"3000/tcp", "50051/tcp"}
    assert set(config["Volumes"]) == {"/bentoml"}
    home = work / "volume"
    home.mkdir()
    os.chown(home, OWNER, OWNER)
    web = free_port()
    variables = {"BENTOML_GRPC_PORT": "0", "BENTOML_WEB_UI_PORT": str(web)}
    token = ""
    for start in (1, 2):
        with running(image, engine, work, user="0:0", mounts={home: "/bentoml"}, **variables) as container:
            port = container.wait_for(r"\* Running on [^:\s]+:(\d+) ")
            if start == 1:
                token = container.wait_for(r"A first admin token was made; it is shown only now: (\S+)")
            client = {**engine, "BENTOML_YATAI_ACCESS_TOKEN": token}
            address = f"127.0.0.1:{port}"
            if start == 1:
                run("bentoml", "push", iris, "--yatai-url", address, env=client)
            listed = run("bentoml", "list", "--yatai-url", address, "-o", "json", env=client)
            assert "IrisClassifier" in listed
            assert "IrisClassifier" in page(f"http://127.0.0.1:{web}/repository", token)
            assert Path(f"/proc/{container.server}").stat().st_uid == OWNER
            assert healthy(web)
            os.kill(container.server, signal.SIGTERM)
            assert container.process.wait(120) == 0, container.text
        assert not healthy(web)
        assert "Traceback" not in container.text
        assert (home / "storage.db").stat().st_uid == OWNER
        assert len(list((home / "repository" / "IrisClassifier").iterdir())) == 1
    assert re.search("admin token was made", container.text) is None


def test_the_server_builds_with_buildah(
    iris: str, real_wheels: Path, work: Path, engine: dict[str, str]
) -> None:
    environment = {**engine, "BENTOML_YATAI_CONTAINER_BUILDER": "buildah", "PYTHONUNBUFFERED": "1"}
    log = work / "builder.log"
    with log.open("wb") as output, package_index(real_wheels, work / "server-index") as index:
        process = subprocess.Popen(
            ["bentoml", "yatai-service-start", "--grpc-port", "0", "--no-ui"],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
        )
        try:
            port = Container(process, log).wait_for(r"\* Running on [^:\s]+:(\d+) ")
            arguments = f"EXTRA_PIP_INSTALL_ARGS=--index-url {index.url} --no-compile"
            output_text = run(
                "bentoml", "containerize", iris, "--yatai-url", f"127.0.0.1:{port}",
                "-t", "localhost/remote", "--build-arg", arguments, env=engine,
            )  # fmt: skip
        finally:
            process.terminate()
            assert process.wait(120) == 0
    built = re.search(r"Build container image: (localhost/remote:\S+)", output_text)
    assert built is not None
    config = json.loads(run("buildah", "inspect", "--type", "image", built[1], env=engine))["Docker"]
    assert config["config"]["Labels"]["org.opencontainers.image.title"] == "IrisClassifier"
