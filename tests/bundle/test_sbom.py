"""`bentoml sbom`: valid CycloneDX with every package and model, the same bytes for the same bundle."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from bentoml.bundle.manifest import write_manifest
from bentoml.bundle.sbom import sbom_json
from bentoml.exceptions import BundleCorrupted

from .projects import Project, SavedBundle
from .test_load import OLD_BUNDLES

SERVICE = """
import bentoml
from bentoml.adapters import JsonInput
from bentoml.service.artifacts.common import PickleArtifact, TextFileArtifact

@bentoml.env(pip_packages=["click==8.1.7", "PyYAML>=6", "rich[jupyter]==13.7.0 ; python_version > '3'"])
@bentoml.artifacts([PickleArtifact("model"), TextFileArtifact("notes")])
class Listed(bentoml.BentoService):
    @bentoml.api(input=JsonInput(), batch=False)
    def predict(self, value):
        return value
"""


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> SavedBundle:
    project = Project(tmp_path_factory.mktemp("listed"))
    pack = "svc.pack('model', {1}).pack('notes', 'x').set_version('1')"
    return project.write(**{"listed.py": SERVICE}).save("listed", "Listed", pack=pack)


def test_packages_models_and_the_library_are_listed(listed: SavedBundle) -> None:
    text = sbom_json(listed.path)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert sbom_json(listed.path) == text
    document = json.loads(text)
    root = document["metadata"]["component"]
    assert (root["name"], root["version"], root["type"]) == ("Listed", "1", "application")
    parts = {part["name"]: part for part in document["components"]}
    assert parts["click"]["purl"] == "pkg:pypi/click@8.1.7"
    assert parts["rich"]["version"] == "13.7.0"
    assert "version" not in parts["pyyaml"]
    assert parts["model"]["type"] == "machine-learning-model"
    (file,) = parts["model"]["components"]
    content = (listed.package / "artifacts/model.pkl").read_bytes()
    assert file["hashes"] == [{"alg": "SHA-256", "content": hashlib.sha256(content).hexdigest()}]
    facts = {one["name"]: one["value"] for one in parts["model"]["properties"]}
    assert facts["bentoml:data-only"] == "false"
    assert parts["bentoml"]["hashes"][0]["alg"] == "SHA-256"
    assert "purl" not in parts["bentoml"]  # the name on the index is another product


def test_a_lock_says_more_than_the_requirements(listed: SavedBundle, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(listed.path, tmp_path / "copy"))
    lock = "# made by a resolver\n./bundled_pip_dependencies/x.whl --hash=sha256:00\n"
    lock += "click==8.1.7 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\n"
    lock += "six==1.16.0 ; os_name == 'nt' \\\n    --hash=sha256:22\n"
    (copy / "requirements.lock").write_text(lock)
    write_manifest(copy)
    parts = {part["name"]: part.get("version") for part in json.loads(sbom_json(copy))["components"]}
    assert (parts["click"], parts["six"]) == ("8.1.7", "1.16.0")
    assert "pyyaml" not in parts


@pytest.mark.parametrize("path", OLD_BUNDLES[:2], ids=lambda p: p.parent.name)
def test_T12_a_bundle_of_0_13_has_one_too(path: Path) -> None:
    text = sbom_json(path)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_T1_a_changed_bundle_gets_none(marked: SavedBundle) -> None:
    (marked.package / "artifacts/notes.txt").write_text("changed")
    with pytest.raises(BundleCorrupted, match=r"notes\.txt"):
        sbom_json(marked.path)
