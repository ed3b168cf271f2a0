"""Each peer runs in a virtual environment of its own, made on first use and kept under .cache/bench/."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from .peer import Peer

CONSTRAINTS = Path(__file__).resolve().parents[2] / "requirements" / "constraints-bench.txt"


def find_old_python(given: str | None) -> str:
    """A Python 3.8, which is the newest that BentoML 0.13.1's dependencies run on.

    Raises:
        SystemExit: none is there; the message says how to name one.
    """
    roots = sorted(Path.home().glob(".pyenv/versions/3.8.*/bin/python"), reverse=True)
    for candidate in filter(None, (given, shutil.which("python3.8"), *map(str, roots))):
        probe = [candidate, "-c", "import sys; sys.exit(sys.version_info[:2] != (3, 8))"]
        if subprocess.run(probe, check=False, capture_output=True).returncode == 0:
            return candidate
    raise SystemExit(
        "bentoml-0.13 needs Python 3.8, and none was found. Install one (for example: pyenv install 3.8) "
        "and name it with --python38 PATH, or leave that peer out with --peers."
    )


def _base_python() -> str:
    """The interpreter behind this virtual environment, so that checkouts can share a cache."""
    return os.path.realpath(getattr(sys, "_base_executable", sys.executable))


def ensure(peer: Peer, workload: str, cache: Path, python38: str | None) -> Path:
    """The interpreter of `peer`'s environment for a workload, which is made if it does not exist yet."""
    requirements = peer.requirements_for(workload)
    if not requirements:
        return Path(sys.executable)
    base = find_old_python(python38) if peer.old_python else _base_python()
    digest = hashlib.sha256(json.dumps([base, requirements]).encode()).hexdigest()[:8]
    name = peer.name.removesuffix("-tuned").removesuffix("-2")  # the same software, started differently
    folder = cache.resolve() / "envs" / f"{name}-{digest}"
    python = folder / "bin" / "python"
    ready = folder / ".ready"
    if ready.exists():
        return python
    print(f"making the environment of {peer.name}: {', '.join(requirements)}", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([base, "-m", "venv", str(folder)], check=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--prefer-binary"]
    quiet = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    subprocess.run([*pip, "--upgrade", "pip"], check=True, env=quiet, stderr=subprocess.DEVNULL)
    held = [] if peer.old_python else ["--constraint", str(CONSTRAINTS)]
    subprocess.run([*pip, *held, *requirements], check=True, env=quiet)
    ready.touch()
    return python


def version(peer: Peer, python: Path) -> str:
    """The release of the server that was installed, "" where the question has no meaning."""
    if peer.version_of is None:
        return ""
    code = f"import importlib.metadata as m; print(m.version({peer.version_of!r}))"
    if peer.old_python:
        code = f"import pkg_resources as p; print(p.get_distribution({peer.version_of!r}).version)"
    found = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=False)
    return found.stdout.strip()
