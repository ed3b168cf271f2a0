from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("pyarrow")
pytest.importorskip("pandas")

from bentoml.service import BentoService

from .service_files import imported


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The service of `service_files`, saved."""
    folder = tmp_path_factory.mktemp("offline")
    with imported(folder) as cls:
        service = cls()
        service.set_version("1")
        (folder / "bundle").mkdir()
        service.save_to_dir(str(folder / "bundle"))
    return folder / "bundle"


@pytest.fixture(scope="session")
def service(bundle: Path) -> BentoService:
    from bentoml import load_from_dir

    return load_from_dir(bundle)
