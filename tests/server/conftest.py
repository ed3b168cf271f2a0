"""The probe bundle, saved once for every test of the server that needs a process."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.server.live.process import save_probe


@pytest.fixture(scope="session")
def probe_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_probe(tmp_path_factory.mktemp("probe"))
