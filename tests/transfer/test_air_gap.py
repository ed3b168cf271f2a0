"""The whole way on a machine without a network: a namespace of its own with nothing but loopback."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bentoml.environments.installers import find_uv
from bentoml.transfer import export_bundle
from tests.environments.wheelhouse import package_index

pytestmark = [
    pytest.mark.skipif(find_uv() is None, reason="uv is not installed"),
    pytest.mark.timeout(900),
]

# Runs in the namespace: import, serve in the isolated environment, one request.
JOURNEY = """
import json, os, socket, subprocess, sys, urllib.request
from pathlib import Path
from tests.e2e.processes import environment, run, serving

archive, home, work = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
for address in ("192.0.2.1", "8.8.8.8"):
    try:
        socket.create_connection((address, 53), timeout=5)
    except OSError as err:
        print("NO-ROUTE", err.errno, file=sys.stderr)
    else:
        raise SystemExit("this namespace has a network")
bentoml = [sys.executable, "-m", "bentoml"]
print(run([*bentoml, "import", archive], work, home), file=sys.stderr)
made = run([*bentoml, "env", "Hello:latest", *sys.argv[4:]], work, home, timeout_s=600).strip()
command = [*bentoml, "serve", "Hello:1", "--env", "isolated", "--host=127.0.0.1", "--port=0"]
with serving(command, work, home) as server:
    request = urllib.request.Request(
        f"{server.address}/predict", b'"me"', {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        print(json.dumps([made, *json.loads(answer.read())]))
"""


def in_namespace(*command: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run where only loopback exists and is up."""
    script = 'ip link set lo up && exec "$@"'
    return subprocess.run(
        ["unshare", "--net", "sh", "-c", script, "sh", *command],
        capture_output=True,
        text=True,
        env=env,
        timeout=840,
        check=False,
    )


def require_namespaces() -> None:
    if sys.platform != "linux" or any(shutil.which(tool) is None for tool in ("unshare", "ip")):
        pytest.skip("network namespaces need Linux with unshare and ip")
    probe = in_namespace("true", env=dict(os.environ))
    if probe.returncode != 0:
        pytest.skip(f"this user may not make a network namespace: {probe.stderr.strip()}")


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_import_and_serve_without_a_network(
    installer: str, hello: Path, real_wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_namespaces()
    with package_index(real_wheels, tmp_path / "index") as index:
        for name, value in index.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache-here"))
        archive = export_bundle(str(hello), tmp_path / "hello.tar.zst", with_wheels=True).path
    root = Path(__file__).resolve().parents[2]
    home = tmp_path / "other-home"
    (tmp_path / "work").mkdir()
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
    env |= {
        "PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}",
        "PIP_CONFIG_FILE": "/dev/null",
        "UV_NO_CONFIG": "1",
        "UV_CACHE_DIR": str(tmp_path / "cache-there"),
        "UV_PYTHON_DOWNLOADS": "never",
    }
    done = in_namespace(
        sys.executable,
        "-c",
        JOURNEY,
        str(archive),
        str(home),
        str(tmp_path / "work"),
        f"--installer={installer}",
        env=env,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Imported Hello:1 with" in done.stderr
    assert done.stderr.count("NO-ROUTE") == 2
    made, text, value, library = json.loads(done.stdout.splitlines()[-1])
    assert (text, value) == ("from 1.5", "me")
    assert Path(made).parent == home / "environments"
    assert Path(library).is_relative_to(made)
