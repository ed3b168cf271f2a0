"""Bundles of the real 0.13.1, loaded and saved again here: the new layout, the same answers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bentoml import __version__
from bentoml.bundle.descriptor import read_descriptor
from bentoml.bundle.layout import BundleLayout
from bentoml.bundle.manifest import verify_manifest
from bentoml.repository.local import LocalRepository

from .home import bundle_path, install_home
from .rows import bytes_from_json, read_rows
from .test_recorded import SERVICES, check, environment
from .wire import Answer, send, serving

RESAVE = """
import sys, bentoml
service = bentoml.load(sys.argv[1])
print(service.save(version=sys.argv[2]))
"""


@pytest.mark.parametrize("tag", SERVICES, ids=lambda tag: tag.partition(":")[0])
def test_saved_again_it_answers_as_recorded(tag: str, tmp_path: Path) -> None:
    home = install_home(tmp_path / "home")
    old = read_descriptor(bundle_path(tag, home))
    version = f"{old.version}.again" if "+" not in old.version else "1.0.1+cpu"
    done = subprocess.run(
        [sys.executable, "-c", RESAVE, str(bundle_path(tag, home)), version],
        cwd=tmp_path,
        env={**os.environ, **environment(home)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "cannot be imported" not in done.stderr + done.stdout
    path = Path(done.stdout.splitlines()[-1])
    version = path.name  # `@ver` puts its numbers before the one that was given
    assert LocalRepository(home).resolve(f"{old.name}:{version}") == path
    check_layout(path, old)
    command = [sys.executable, "-m", "bentoml", "serve", f"{old.name}:{version}"]
    with serving(command, environment(home), tmp_path / "server.log") as port:

        def send_row(request: dict[str, Any]) -> Answer:
            body = bytes_from_json(request["body"])
            return send(port, request["method"], request["path"], request["headers"], body)

        check([row for row in read_rows(tag) if not states_the_version(row)], send_row)
    assert read_descriptor(bundle_path(tag, home)).bentoml_version.startswith("0.13")  # the old one stayed


def check_layout(path: Path, old: Any) -> None:
    new = read_descriptor(path)
    layout = BundleLayout(path, new.name)
    manifest = verify_manifest(path)
    assert manifest is not None
    assert new.bentoml_version == __version__
    assert [a.name for a in new.apis] == [a.name for a in old.apis]
    assert [(a.name, a.artifact_type) for a in new.artifacts] == [
        (a.name, a.artifact_type) for a in old.artifacts
    ]
    assert list(layout.bundled_dependencies.glob(f"bentoml-{__version__}-*.whl"))
    requirements = layout.requirements.read_text().splitlines()
    assert any(line.startswith("./bundled_pip_dependencies/bentoml-") for line in requirements)
    assert not any(line.startswith("bentoml==") for line in requirements)
    assert (path / "Dockerfile").is_file() and (path / "pyproject.toml").is_file()


def states_the_version(row: dict[str, Any]) -> bool:
    """What the bundle says about itself is another thing by now."""
    path = str(row["request"]["path"])
    return path.startswith(("/metadata", "/docs.json")) or path == "/"
