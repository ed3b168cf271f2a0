"""Real images on a Debian from debootstrap, run as process 1 of a namespace of their own.

One is built with buildah, one is written without an engine. Needs root, buildah, skopeo and debootstrap
(`make test-containers` installs them on Debian) and a Debian mirror; where one is missing the tests are
skipped and say which. Packages come from an index on loopback.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import threading
import urllib.request
from pathlib import Path

import pytest

from tests.environments.wheelhouse import package_index

from .real import run, running

pytestmark = [pytest.mark.containers, pytest.mark.timeout(2400)]

FLOWER = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}


@pytest.fixture(scope="module")
def built(work: Path, engine: dict[str, str], iris: str, real_wheels: Path) -> str:
    """Built by buildah, through the command a user types."""
    with package_index(real_wheels, work / "index") as index:
        output = run(
            "bentoml", "containerize", iris, "-t", "localhost/iris:1", "--builder", "buildah",
            "--build-arg", f"EXTRA_PIP_INSTALL_ARGS=--index-url {index.url} --no-compile",
            cwd=work, env=engine,
        )  # fmt: skip
        assert not index.asked_for("bentoml")
    assert "Build container image: localhost/iris:1" in output
    return "localhost/iris:1"


@pytest.fixture(scope="module")
def archive(work: Path, engine: dict[str, str], base: str, iris: str, real_wheels: Path) -> Path:
    """Written without an engine, by a process that may not mount, change owners or make devices."""
    run("buildah", "push", "-q", base, f"oci-archive:{work / 'base.tar'}:base", env=engine)
    output = run(
        "setpriv", "--bounding-set=-all", "--inh-caps=-all",
        "bentoml", "containerize", iris, "-t", "localhost/iris:oci", "--builder", "oci",
        "--base", work / "base.tar", "--wheels", real_wheels, "-o", work / "iris.tar",
        cwd=work, env=engine,
    )  # fmt: skip
    assert "Build container image: localhost/iris:oci" in output
    return work / "iris.tar"


@pytest.fixture(scope="module")
def written(work: Path, engine: dict[str, str], archive: Path) -> str:
    run("buildah", "pull", "-q", f"oci-archive:{archive}", env=engine)
    return "localhost/iris:oci"


@pytest.fixture(params=["built", "written"])
def image(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


def test_P22_the_image_says_how_it_runs(image: str, engine: dict[str, str]) -> None:
    config = json.loads(run("buildah", "inspect", "--type", "image", image, env=engine))["Docker"]["config"]
    assert config["User"] == "bentoml"
    assert config["Entrypoint"] == ["./docker-entrypoint.sh"]
    assert config["Labels"]["org.opencontainers.image.title"] == "IrisClassifier"
    assert len(config["Labels"]["org.opencontainers.image.revision"]) == 64
    assert not any("PIP" in variable for variable in config["Env"])
    assert config["Healthcheck"]["Test"][:2] == ["CMD", "python"]


def test_other_tools_read_the_written_image(
    archive: Path, work: Path, base: str, iris: str, real_wheels: Path, engine: dict[str, str]
) -> None:
    """skopeo, as an OCI archive and as a docker archive; from a docker archive the same comes out."""
    digest = json.loads(run("skopeo", "inspect", f"oci-archive:{archive}", env=engine))["Digest"]
    config = json.loads(
        run("skopeo", "inspect", "--config", "--raw", f"docker-archive:{archive}", env=engine)
    )
    assert config["config"]["Healthcheck"]["Test"][:2] == ["CMD", "python"]
    assert config["config"]["User"] == "bentoml"
    run("skopeo", "copy", "-q", f"oci-archive:{archive}", f"dir:{work / 'copied'}", env=engine)
    run(
        "skopeo",
        "copy",
        "-q",
        f"oci-archive:{work / 'base.tar'}",
        f"docker-archive:{work / 'd.tar'}",
        env=engine,
    )
    output = run(
        "bentoml", "containerize", iris, "-t", "localhost/iris:oci", "--builder", "oci",
        "--base", work / "d.tar", "--wheels", real_wheels, "-o", work / "again.tar",
        cwd=work, env=engine,
    )  # fmt: skip
    assert "Build container image" in output
    again = json.loads(run("skopeo", "inspect", f"oci-archive:{work / 'again.tar'}", env=engine))
    first = json.loads(run("skopeo", "inspect", f"oci-archive:{archive}", env=engine))
    assert again["Layers"][1:] == first["Layers"][1:]
    assert digest.startswith("sha256:")


def ask(port: int, timeout_s: float = 60) -> dict[str, object]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/classify",
        json.dumps(FLOWER).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=timeout_s) as answer:
        return dict(json.loads(answer.read()))


def test_P1_P22_it_answers_as_a_plain_user_and_loses_nothing_on_sigterm(
    image: str, work: Path, engine: dict[str, str]
) -> None:
    with running(image, engine, work, ["--port=0"]) as container:
        port = int(container.wait_for(r"Running on http://[^:/]+:(\d+)"))
        assert ask(port)["species"] == "setosa"
        server = container.server
        assert Path(f"/proc/{server}").stat().st_uid == 1034
        assert (
            "\t1\n" in Path(f"/proc/{server}/status").read_text().partition("NSpid:")[2]
        )  # process 1 inside
        assert stop_under_load(port, server) == []
        assert container.process.wait(60) == 0
    assert "uid" not in container.text and "Traceback" not in container.text


def stop_under_load(port: int, server: int) -> list[str]:
    """SIGTERM while eight connections ask without pause; which requests got no or a wrong answer."""
    lost: list[str] = []
    answered = threading.Semaphore(0)

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        headers = {"Content-Type": "application/json"}
        try:
            while True:
                connection.request("POST", "/classify", json.dumps(FLOWER), headers)
                answer = connection.getresponse()
                body = answer.read()
                if answer.status == 503:
                    return
                if answer.status != 200 or b"setosa" not in body:
                    lost.append(f"{answer.status} {body!r}")
                answered.release()
                if answer.will_close:
                    return
        except (OSError, http.client.HTTPException) as err:
            lost.append(repr(err))

    clients = [threading.Thread(target=client) for _ in range(8)]
    for thread in clients:
        thread.start()
    for _ in range(200):
        assert answered.acquire(timeout=60)
    os.kill(server, signal.SIGTERM)
    for thread in clients:
        thread.join(90)
    return lost
