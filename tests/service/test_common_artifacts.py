# ruff: noqa: RUF012 - the contract declares these as class variables
from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from contracts.artifact_contract import ArtifactContract

from bentoml.exceptions import ArtifactLoadingException, InvalidArgument, MissingDependencyException
from bentoml.service.artifacts.common import JSONArtifact, PickleArtifact, TextFileArtifact

BUNDLES_013 = Path(__file__).parents[1] / "compat013/fixtures/home013/repository"


class TestPickle(ArtifactContract):
    ARTIFACT = "bentoml.service.artifacts.common:PickleArtifact"
    PROBE = "model['weights'] + [model['f'](4)]"
    FILES = {"my_model.pkl", "my_model.yml"}

    def model(self) -> Any:
        return {"weights": [1, 2.5, "x"], "f": lambda x: x * 10}


class TestPickleByModuleName(TestPickle):
    OPTIONS = {"pickle_module": "pickle"}
    PROBE = "model['weights']"

    def model(self) -> Any:
        return {"weights": [1, 2.5, "x"]}


class TestJSON(ArtifactContract):
    ARTIFACT = "bentoml.service.artifacts.common:JSONArtifact"
    PROBE = "model"
    FILES = {"my_model.json", "my_model.yml"}

    def model(self) -> Any:
        return {"labels": ["kätzchen", "狗"], "n": 3, "nested": [None, True, 1.5]}


class TestText(ArtifactContract):
    ARTIFACT = "bentoml.service.artifacts.common:TextFileArtifact"
    OPTIONS = {"file_extension": ".md"}
    PROBE = "model"
    FILES = {"my_model.md", "my_model.yml"}
    WRONG = (b"bytes", 3, None)
    WRONG_ERROR = InvalidArgument

    def model(self) -> Any:
        return "# Título\r\n\nlast line without newline ✓"


def test_json_options_of_pack_go_to_dumps(tmp_path: Path) -> None:
    JSONArtifact("settings").pack({"b": 1, "a": 2}, indent=4, sort_keys=True).save(str(tmp_path))
    assert (tmp_path / "settings.json").read_text() == json.dumps({"b": 1, "a": 2}, indent=4, sort_keys=True)


def test_json_with_another_module_and_encoding(tmp_path: Path) -> None:
    JSONArtifact("a", encoding="utf-16", json_module=json).pack(["ü"]).save(str(tmp_path))
    assert JSONArtifact("a", encoding="utf-16").load(str(tmp_path)).get() == ["ü"]
    JSONArtifact("b", json_module="orjson").pack({"x": [1]}).save(str(tmp_path))
    assert JSONArtifact("b").load(str(tmp_path)).get() == {"x": [1]}


def test_json_that_cannot_be_written_names_the_artifact(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="'settings' cannot be written as JSON"):
        JSONArtifact("settings").pack({"f": object()}).save(str(tmp_path))


def test_pickle_that_cannot_be_written_names_the_artifact(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="'gen' holds a generator"):
        PickleArtifact("gen").pack(x for x in ()).save(str(tmp_path))


def test_missing_pickle_module_names_the_package() -> None:
    with pytest.raises(MissingDependencyException, match="pip install no_such_pickler"):
        PickleArtifact("m", pickle_module="no_such_pickler").pickle  # noqa: B018 - imports now


def test_pickle_default_is_cloudpickle_and_a_module_object_is_kept() -> None:
    import cloudpickle

    assert PickleArtifact("m").pickle is cloudpickle
    assert PickleArtifact("m", pickle).pickle is pickle


def test_broken_pickle_names_the_artifact_and_keeps_the_cause(tmp_path: Path) -> None:
    (tmp_path / "m.pkl").write_bytes(b"not a pickle")
    with pytest.raises(ArtifactLoadingException, match=r"PickleArtifact\('m'\)") as caught:
        PickleArtifact("m").load(str(tmp_path))
    assert isinstance(caught.value.__cause__, pickle.UnpicklingError)


def test_artifacts_written_by_0_13_load() -> None:
    directory = str(BUNDLES_013 / "WordCounter/1.0.0/WordCounter/artifacts")
    weights = PickleArtifact("weights").load(directory)
    assert isinstance(weights.get(), dict) and weights.metadata == {"words": 2}
    assert isinstance(JSONArtifact("settings").load(directory).get(), dict)
    assert TextFileArtifact("banner", file_extension=".md").load(directory).get()


def test_pickles_of_0_13_find_their_cloudpickle() -> None:
    """0.13 wrote `bentoml.utils.cloudpickle` where the cloudpickle package writes its own name."""
    import cloudpickle

    class Local:
        value = 7

    written = cloudpickle.dumps(Local, protocol=2).replace(
        b"ccloudpickle.cloudpickle\n", b"cbentoml.utils.cloudpickle\n"
    )
    assert b"bentoml.utils.cloudpickle" in written
    assert pickle.loads(written).value == 7


def test_byte_code_of_an_old_python_is_refused_by_name() -> None:
    with pytest.raises(ArtifactLoadingException, match="byte code of the Python that wrote it"):
        pickle.loads(b"cbentoml.utils.cloudpickle\n_make_skel_func\n.")


def test_legacy_cloudpickle_import_path() -> None:
    import cloudpickle

    from bentoml.utils import cloudpickle as legacy

    assert legacy.dumps is cloudpickle.dumps and legacy.loads(legacy.dumps({1: 2})) == {1: 2}
