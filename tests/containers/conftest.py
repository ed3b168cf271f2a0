from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bentoml.containers.yatai_files import EXTRAS
from tests.bundle.projects import ECHO_SERVICE, Project
from tests.e2e.processes import copy_example
from tests.environments.wheelhouse import needed_distributions, rebuild_wheel

from .real import NEEDED, SUITES, mirror, run


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("BENTOML_CONFIG", raising=False)
    return tmp_path / "home"


@pytest.fixture(scope="session")
def saved_echo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = Project(tmp_path_factory.mktemp("echo"))
    return project.write(**{"echo.py": ECHO_SERVICE}).save("echo", "Echo", pack="svc.set_version('2_A')").path


@pytest.fixture
def bundle(saved_echo: Path, tmp_path: Path) -> Path:
    """A bundle to change."""
    return Path(shutil.copytree(saved_echo, tmp_path / "bundle"))


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def real_wheels(work: Path) -> Path:
    """What the iris example and the management server need."""
    folder = work / "wheels"
    folder.mkdir()
    for distribution in needed_distributions([f"bentoml[{EXTRAS}]", "scikit-learn", "pandas", "joblib"]):
        rebuild_wheel(distribution, folder)
    return folder


@pytest.fixture(scope="session")
def iris(work: Path, engine: dict[str, str], base: str) -> str:
    """The iris example, saved as a user would."""
    folder = copy_example("iris", work)
    source = (folder / "service.py").read_text()
    (folder / "service.py").write_text(
        source.replace("infer_pip_packages=True", f"infer_pip_packages=True, docker_base_image='{base}'")
    )
    run(sys.executable, "train.py", cwd=folder, env=engine)
    return "IrisClassifier:latest"
