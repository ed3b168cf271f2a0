"""`inspect_bundle`: everything is told, nothing is executed, and what is data is told from what runs code."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from bentoml.bundle.inspection import inspect_bundle
from bentoml.bundle.load import load_from_dir
from bentoml.bundle.manifest import write_manifest
from bentoml.bundle.trust import pickle_guard
from bentoml.bundle.trust.artifact_files import is_data, owner_of
from bentoml.bundle.trust.policy import DATA_VARIABLE
from bentoml.exceptions import UntrustedBundle
from bentoml.frameworks._registry import FRAMEWORKS

from .projects import Project, SavedBundle, load_elsewhere
from .test_load import OLD_BUNDLES

MIXED = """
import bentoml
from bentoml.adapters import JsonInput
from bentoml.frameworks.sklearn import SklearnModelArtifact
from bentoml.service.artifacts.common import JSONArtifact, PickleArtifact, TextFileArtifact

@bentoml.env(infer_pip_packages=True)
@bentoml.artifacts([
    SklearnModelArtifact("model"), SklearnModelArtifact("safe", file_format="skops"),
    PickleArtifact("model_two"), JSONArtifact("labels"), TextFileArtifact("notes"),
])
class Mixed(bentoml.BentoService):
    @bentoml.api(input=JsonInput(), batch=True)
    def predict(self, rows):
        return rows
"""
PACK = """
import numpy, collections
from sklearn.linear_model import LogisticRegression
model = LogisticRegression().fit(numpy.eye(4), [0, 1, 0, 1])
svc.pack("model", model).pack("safe", model).pack("model_two", collections.OrderedDict(a=1))
svc.pack("labels", ["a", "b"]).pack("notes", "hi", metadata={"by": "me"}).set_version("1")
"""


TEXTS = (
    MIXED.replace(
        'SklearnModelArtifact("model"), SklearnModelArtifact("safe", file_format="skops"),', ""
    ).replace('PickleArtifact("model_two"), ', "TextFileArtifact('words'), "),
    'svc.pack("labels", []).pack("notes", "hi").pack("words", "x")',
)


@pytest.fixture(scope="session")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> SavedBundle:
    project = Project(tmp_path_factory.mktemp("mixed"))
    return project.write(**{"mixed.py": MIXED}).save("mixed", "Mixed", pack=PACK)


def test_what_is_told_of_each_artifact(mixed: SavedBundle) -> None:
    document = json.loads(json.dumps(inspect_bundle(mixed.path).to_dict()))
    assert document["integrity"] == "intact"
    assert document["signatures"] == []
    artifacts = {row["name"]: row for row in document["artifacts"]}
    assert {name: row["data_only"] for name, row in artifacts.items()} == {
        "model": False, "safe": True, "model_two": False, "labels": True, "notes": True,
    }  # fmt: skip
    assert "sklearn.linear_model._logistic.LogisticRegression" in artifacts["model"]["imports"]
    assert artifacts["model_two"]["imports"] == artifacts["model_two"]["calls"] == ["collections.OrderedDict"]
    assert artifacts["model"]["alarming"] == []
    assert [file["path"] for file in artifacts["notes"]["files"]] == ["notes.txt", "notes.yml"]
    assert all(len(file["sha256"]) == 64 for row in artifacts.values() for file in row["files"])
    assert document["files_of_no_artifact"] == []
    assert document["apis"] == [
        {"name": "predict", "route": "predict", "input": "JsonInput", "output": "DefaultOutput",
         "batch": True, "docs": document["apis"][0]["docs"]}
    ]  # fmt: skip
    assert any(line.startswith("scikit-learn==") for line in document["environment"]["requirements"])
    assert "Mixed/mixed.py" in document["code"]
    assert document["size_bytes"] == sum(f.stat().st_size for f in mixed.path.rglob("*") if f.is_file())


def test_nothing_is_executed_and_alarming_names_are_marked(
    marked: SavedBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARKER", str(tmp_path / "marker"))
    model = marked.package / "artifacts/model.pkl"
    model.write_bytes(b"cos\nmkdir\n(S'" + str(tmp_path / "marker").encode() + b"'\ntR.")
    found = inspect_bundle(marked.path)
    assert not found.is_intact
    assert "model.pkl' was changed" in found.integrity
    artifact = found.to_dict()["artifacts"][0]
    assert artifact["alarming"] == artifact["calls"] == ["os.mkdir"]
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize("path", OLD_BUNDLES, ids=lambda p: f"{p.parent.name}-{p.name}")
def test_T12_bundles_of_0_13_are_inspected(path: Path) -> None:
    document = inspect_bundle(path).to_dict()
    assert document["integrity"] == "no manifest (0.13)"
    assert document["bentoml_version"] == "0.13.1"
    assert document["files_of_no_artifact"] == []
    assert all(row["files"] for row in document["artifacts"])


def test_links_are_not_followed(marked: SavedBundle, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "model_secret.txt").write_text("secret")
    (marked.package / "artifacts/model_link.txt").symlink_to(outside / "model_secret.txt")
    document = inspect_bundle(marked.path).to_dict()
    assert "is a link" in document["integrity"]
    assert "model_link" not in json.dumps(document["artifacts"])
    shutil.rmtree(marked.package / "artifacts")
    (marked.package / "artifacts").symlink_to(outside)
    assert "secret" not in json.dumps(inspect_bundle(marked.path).to_dict())


def test_a_file_belongs_to_the_artifact_with_the_longest_name() -> None:
    names = ["model", "model_two", "m"]
    assert owner_of("model.pkl", names) == "model"
    assert owner_of("model_two.pkl", names) == "model_two"
    assert owner_of("model_two/weights/x.bin", names) == "model_two"
    assert owner_of("other.pkl", names) is None


def test_formats_that_count_as_data_are_those_of_known_classes() -> None:
    from bentoml.bundle.trust.artifact_files import _DATA

    own = {"JSONArtifact", "TextFileArtifact"}
    assert {name for name in _DATA if name not in FRAMEWORKS} == own
    assert not is_data("MyArtifact", "model", "model.json")
    assert not is_data("SklearnModelArtifact", "model", "model.pkl")
    assert is_data("MyArtifact", "model", "model.yml")


def test_data_only_refuses_what_can_run_code_and_loads_the_rest(
    mixed: SavedBundle, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DATA_VARIABLE, "true")
    with pytest.raises(UntrustedBundle, match=r"Artifact 'model' .*skops"):
        load_from_dir(mixed.path)
    body, pack = TEXTS
    bundle = project.write(**{"mixed.py": body}).save("mixed", "Mixed", pack=pack)
    assert load_elsewhere(bundle.path, "svc.artifacts.notes", tmp_path) == "hi"


def test_A04_data_only_looks_at_the_content_not_at_the_name(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A text artifact whose file is a pickle, and an artifact class of the user's own."""
    body, pack = TEXTS
    bundle = project.write(**{"mixed.py": body}).save("mixed", "Mixed", pack=pack)
    monkeypatch.setenv(DATA_VARIABLE, "1")
    load_from_dir(bundle.path)
    pickle_guard._active = None
    (bundle.package / "artifacts/words.txt").write_bytes(b"cos\nmkdir\n(S'x'\ntR.")
    write_manifest(bundle.path)
    with pytest.raises(UntrustedBundle, match="words"):
        load_from_dir(bundle.path)


@pytest.fixture(autouse=True)
def no_guard_afterwards() -> object:
    yield
    pickle_guard._active = None
    os.environ.pop(DATA_VARIABLE, None)
