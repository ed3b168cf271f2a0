# ruff: noqa: RUF012 - the contract declares these as class variables
from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from contracts.artifact_contract import ArtifactContract

pytest.importorskip("sklearn")

from bentoml.exceptions import ArtifactLoadingException, InvalidArgument
from bentoml.frameworks import sklearn as sklearn_artifacts
from bentoml.frameworks.sklearn import SklearnModelArtifact

BUNDLES_013 = Path(__file__).parents[1] / "compat013/fixtures/home013/repository"
IRIS_013 = BUNDLES_013 / "IrisClassifier/20210926174550_16DCF9/IrisClassifier/artifacts"


class TestSklearn(ArtifactContract):
    ARTIFACT = "bentoml.frameworks.sklearn:SklearnModelArtifact"
    PROBE = "model.predict_proba([[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]).tolist()"
    FILES = {"my_model.pkl", "my_model.yml"}
    INFERRED_PIP = {"scikit-learn"}

    def model(self) -> Any:
        from sklearn.datasets import load_iris
        from sklearn.ensemble import RandomForestClassifier

        features, labels = load_iris(return_X_y=True)
        return RandomForestClassifier(5, random_state=0).fit(features, labels)


class TestSklearnMapped(TestSklearn):
    OPTIONS = {"mmap_mode": "r"}


def is_mapped(array: np.ndarray[Any, Any]) -> bool:
    base: Any = array
    while base is not None:
        if isinstance(base, np.memmap):
            return True
        base = getattr(base, "base", None)
    return False


def test_small_models_are_read_and_large_arrays_are_mapped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = {"w": np.arange(40_000, dtype=np.float64)}
    SklearnModelArtifact("m").pack(weights).save(str(tmp_path))
    assert not is_mapped(SklearnModelArtifact("m").load(str(tmp_path)).get()["w"])
    monkeypatch.setattr(sklearn_artifacts, "MAP_FROM_BYTES", 100_000)
    mapped = SklearnModelArtifact("m").load(str(tmp_path)).get()["w"]
    assert is_mapped(mapped) and np.array_equal(mapped, weights["w"])
    assert not is_mapped(SklearnModelArtifact("m", mmap_mode=None).load(str(tmp_path)).get()["w"])


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts descriptors through /proc")
def test_many_small_arrays_do_not_use_up_descriptors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A forest of a thousand trees kept a thousand files open (0.13, issue 1180)."""
    monkeypatch.setattr(sklearn_artifacts, "MAP_FROM_BYTES", 1)
    SklearnModelArtifact("m").pack([np.arange(100) + i for i in range(300)]).save(str(tmp_path))
    before = len(os.listdir("/proc/self/fd"))
    loaded = SklearnModelArtifact("m").load(str(tmp_path)).get()
    assert len(os.listdir("/proc/self/fd")) - before < 10
    assert loaded[299][0] == 299


@pytest.mark.skipif(not IRIS_013.is_dir(), reason="no bundle fixture of 0.13")
def test_a_model_saved_by_0_13_loads() -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns about its own older version
        artifact = SklearnModelArtifact("model").load(str(IRIS_013))
    assert artifact.metadata == {"accuracy": 0.97, "trained_on": "iris"}
    assert hasattr(artifact.get(), "predict")


class TestSkops(TestSklearn):
    OPTIONS = {"file_format": "skops", "trusted": ["sklearn.tree._tree.Tree"]}
    FILES = {"my_model.skops", "my_model.yml"}
    INFERRED_PIP = {"scikit-learn", "skops"}

    @pytest.fixture(autouse=True)
    def _needs_skops(self) -> None:
        pytest.importorskip("skops")


class Unknown:
    """A type skops has never heard of."""

    def __init__(self) -> None:
        self.value = 3


def test_types_skops_does_not_know_must_be_named(tmp_path: Path) -> None:
    pytest.importorskip("skops")
    SklearnModelArtifact("m", file_format="skops").pack(Unknown()).save(str(tmp_path))
    with pytest.raises(ArtifactLoadingException, match=r"not known as safe: .*Unknown.*trusted="):
        SklearnModelArtifact("m", file_format="skops").load(str(tmp_path))
    trusted = [f"{Unknown.__module__}.Unknown"]
    loaded = SklearnModelArtifact("m", file_format="skops", trusted=trusted).load(str(tmp_path)).get()
    assert loaded.value == 3


def test_a_pickle_is_never_read_where_skops_was_asked_for(tmp_path: Path) -> None:
    pytest.importorskip("skops")
    SklearnModelArtifact("m").pack({"a": 1}).save(str(tmp_path))
    with pytest.raises(ArtifactLoadingException, match=r"no file 'm\.skops'"):
        SklearnModelArtifact("m", file_format="skops").load(str(tmp_path))
    with pytest.raises(InvalidArgument, match="'joblib' or 'skops', not 'onnx'"):
        SklearnModelArtifact("m", file_format="onnx")  # type: ignore[arg-type]
