from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bentoml.bundle.layout import EXPORT_FILE
from bentoml.bundle.manifest import write_manifest
from bentoml.environments.targets import Target, this_platform, this_python
from bentoml.environments.wheel_set import wheel_set_of
from bentoml.repository.local import LocalRepository
from bentoml.tags import Tag
from bentoml.transfer import Exported, export_bundle
from bentoml.transfer.package import ExportList
from tests.environments.conftest import (  # noqa: F401 - fixtures
    hello,
    home,
    index,
    real_wheels,
    saved_hello,
    wheels,
)
from tests.environments.wheelhouse import Index, made_up_wheel
from tests.repository.bundles import make_bundle

from . import archives

Export = Callable[..., Exported]


@pytest.fixture
def export(hello: Path, index: Index, tmp_path: Path) -> Export:  # noqa: F811 - a fixture
    """Export the bundle Hello:1 with its wheels to `tmp_path/out/NAME`."""
    (tmp_path / "out").mkdir()

    def run(name: str = "hello.tar.gz", **options: object) -> Exported:
        arguments: dict[str, object] = {"with_wheels": True, **options}
        return export_bundle(str(hello), tmp_path / "out" / name, **arguments)  # type: ignore[arg-type]

    return run


@pytest.fixture
def other_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """From here on, the home is that of another machine."""
    path = tmp_path / "other-home"
    monkeypatch.setenv("BENTOML_HOME", str(path))
    with LocalRepository(path).workspace():  # makes the directories and the index
        LocalRepository(path).list()
    return path


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small archive with one wheel, made without an index."""
    root = tmp_path_factory.mktemp("exported")
    bundle = make_bundle(root / "bundle", "Hello", "1")
    (bundle / "requirements.txt").write_text("greeting==1.5\n")
    manifest = write_manifest(bundle)
    (root / "wheels").mkdir()
    made_up_wheel(root / "wheels", "greeting", "1.5")
    carried = wheel_set_of(root / "wheels", Target(this_platform(), this_python()))
    contents = ExportList(Tag("Hello", "1"), manifest.digest, {"env": "prod"}, carried)
    files = {EXPORT_FILE: contents.to_json().encode()}
    for folder in ("bundle", "wheels"):
        for file in sorted((root / folder).rglob("*")):
            if file.is_file():
                files[file.relative_to(root).as_posix()] = file.read_bytes()
    return archives.write(root / "hello.tar.zst", files)
