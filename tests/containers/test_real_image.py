# ruff: noqa: E501
"""A real image: Debian from debootstrap, built with buildah, run as process 1 of a namespace of its own.

Needs root, buildah and debootstrap (`make test-containers` installs them on Debian) and a Debian mirror;
where one is missing the tests are skipped and say which. Packages come from an index on loopback.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.processes import copy_example
from tests.environments.wheelhouse import needed_distributions, package_index, rebuild_wheel

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]

SUITES = {(3, 11): "bookworm", (3, 13): "trixie"}
NEEDED = ["buildah", "debootstrap", "unshare", "chroot"]
FLOWER = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}


def run(*command: str | Path, timeout_s: float = 600, **options: object) -> str:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=timeout_s, **options
    )  # type: ignore[call-overload]
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return str(done.stdout)


def mirror() -> str:
    for file in (Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")):
        text = file.read_text(errors="replace") if file.is_file() else ""
        if found := re.search(r"^(?:URIs:|deb(?: \[.*?\])?) *(https?://\S+/debian)/?\s", text, re.MULTILINE):
            return found[1]
    return "http://deb.debian.org/debian"


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if os.name != "posix" or os.geteuid() != 0 or missing:
        pytest.skip(f"needs root, and: {', '.join(missing) or 'nothing more'}")
    if sys.version_info[:2] not in SUITES:
        pytest.skip(
            f"no Debian has Python {sys.version_info[0]}.{sys.version_info[1]}, so its wheels fit none"
        )
    folder = tmp_path_factory.mktemp("image")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)  # some gigabytes


@pytest.fixture(scope="module")
def engine(work: Path) -> dict[str, str]:
    """Variables that make buildah work without a daemon, without namespaces, in a store of its own."""
    config = work / "storage.conf"
    config.write_text(
        f'[storage]\ndriver = "vfs"\nrunroot = "{work / "run"}"\ngraphroot = "{work / "graph"}"\n'
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
    return {
        **kept,
        "CONTAINERS_STORAGE_CONF": str(config),
        "BUILDAH_ISOLATION": "chroot",
        "BUILDAH_LAYERS": "false",
        "BENTOML_HOME": str(work / "home"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }


@pytest.fixture(scope="module")
def base(work: Path, engine: dict[str, str]) -> str:
    root = work / "root"
    command = ["debootstrap", "--variant=minbase", "--include=python3,python3-venv,ca-certificates"]
    try:
        done = subprocess.run(
            [*command, SUITES[sys.version_info[:2]], str(root), mirror()],
            capture_output=True,
            text=True,
            timeout=400,
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"debootstrap did not finish within 400 s from {mirror()}")
    if done.returncode:
        pytest.skip(f"debootstrap cannot get a base system from {mirror()}: {done.stdout[-300:]}")
    shutil.rmtree(root / "var/cache/apt", ignore_errors=True)
    container = run("buildah", "from", "scratch", env=engine).strip()
    run("buildah", "add", "-q", container, root, "/", env=engine)
    run("buildah", "commit", "-q", "--rm", container, "localhost/base:1", env=engine)
    shutil.rmtree(root)
    return "localhost/base:1"


@pytest.fixture(scope="module")
def image(work: Path, engine: dict[str, str], base: str) -> str:
    """The image of the iris example, built by the command a user types."""
    iris = copy_example("iris", work)
    source = (iris / "service.py").read_text()
    (iris / "service.py").write_text(
        source.replace("infer_pip_packages=True", f"infer_pip_packages=True, docker_base_image='{base}'")
    )
    run(sys.executable, "train.py", cwd=iris, env=engine)
    wheels = work / "wheels"
    wheels.mkdir()
    for distribution in needed_distributions(["bentoml", "scikit-learn", "pandas", "joblib"]):
        rebuild_wheel(distribution, wheels)
    with package_index(wheels, work / "index") as index:
        output = run(
            "bentoml", "containerize", "IrisClassifier:latest", "-t", "localhost/iris:1", "--builder", "buildah",
            "--build-arg", f"EXTRA_PIP_INSTALL_ARGS=--index-url {index.url} --no-compile",
            cwd=work, env=engine,
        )  # fmt: skip
        assert not index.asked_for("bentoml")
    assert "Build container image: localhost/iris:1" in output
    return "localhost/iris:1"


def test_P22_the_image_says_how_it_runs(image: str, engine: dict[str, str]) -> None:
    config = json.loads(run("buildah", "inspect", "--type", "image", image, env=engine))["Docker"]["config"]
    assert config["User"] == "bentoml"
    assert config["Entrypoint"] == ["./docker-entrypoint.sh"]
    assert config["Healthcheck"]["Test"][:2] == ["CMD", "python"]
    assert config["Labels"]["org.opencontainers.image.title"] == "IrisClassifier"
    assert len(config["Labels"]["org.opencontainers.image.revision"]) == 64
    assert not any("PIP" in variable for variable in config["Env"])


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
    config = json.loads(run("buildah", "inspect", "--type", "image", image, env=engine))["Docker"]["config"]
    container = run("buildah", "from", image, env=engine).strip()
    root = Path(run("buildah", "mount", container, env=engine).strip())
    log = work / "server.log"
    script = work / "run.sh"
    script.write_text(
        f'mount --rbind /dev "{root}/dev"; mount -t proc proc "{root}/proc"\n'
        f'cd /; exec chroot --userspec=1034:1034 "{root}" /usr/bin/env -i "$@"\n'
    )
    inner = f"cd {config['WorkingDir']} && exec {config['Entrypoint'][0]} --port=0"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["unshare", "--pid", "--fork", "--mount", "--kill-child", "sh", script, *config["Env"], "sh", "-c",
             inner],
            stdout=output,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        port = wait_for_port(log, process)
        assert ask(port)["species"] == "setosa"
        server = int(run("pgrep", "-P", str(process.pid)).split()[0])
        assert Path(f"/proc/{server}").stat().st_uid == 1034
        assert (
            "\t1\n" in Path(f"/proc/{server}/status").read_text().partition("NSpid:")[2]
        )  # process 1 inside
        assert stop_under_load(port, server) == []
        assert process.wait(60) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    assert "uid" not in log.read_text() and "Traceback" not in log.read_text()


def wait_for_port(log: Path, process: subprocess.Popen[bytes]) -> int:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        if found := re.search(r"Running on http://[^:/]+:(\d+)", log.read_text(errors="replace")):
            return int(found[1])
        assert process.poll() is None, log.read_text(errors="replace")
        time.sleep(0.1)
    raise AssertionError(log.read_text(errors="replace"))


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
