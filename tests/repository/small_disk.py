"""Scripts that run where the disk is small: on a tmpfs in a mount namespace of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SMALL_DISK = """
set -e
mount -t tmpfs -o size=$1 tmpfs "$2"
shift 2
exec "$@"
"""


def can_mount() -> bool:
    if sys.platform != "linux" or shutil.which("unshare") is None:
        return False
    command = ["unshare", "-rm", "sh", "-c", "mount -t tmpfs -o size=1m tmpfs /mnt"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def run_on_small_disk(size: str, directory: Path, script: str, *arguments: str) -> str:
    """Run a Python script in a mount namespace where `directory` is a tmpfs of that size."""
    if not can_mount():
        pytest.skip("needs Linux and permission to mount a tmpfs in a namespace (unshare -rm)")
    directory.mkdir()
    root = Path(__file__).parents[2]
    python = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", SMALL_DISK, "sh", size, str(directory), *python],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{root / 'src'}"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
