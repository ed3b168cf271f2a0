"""A real server with one API for each adapter."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest
from contracts import served

from tests.server.live.process import environment, serving


@pytest.fixture(scope="session")
def adapter_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("served")
    source, bundle = folder / "source", folder / "bundle"
    source.mkdir()
    bundle.mkdir()
    shutil.copy(served.__file__, source / "served.py")
    command = [sys.executable, "served.py", str(bundle)]
    subprocess.run(command, cwd=source, env=environment(folder), check=True, capture_output=True, timeout=240)
    with serving(bundle, folder / "run") as server:
        yield server.port
        assert "Traceback" not in server.log
