"""T11: a model of another library version is named with both versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from bentoml.bundle import versions
from bentoml.bundle.descriptor import read_descriptor
from bentoml.bundle.load import load_from_dir
from bentoml.bundle.manifest import write_manifest
from bentoml.exceptions import ArtifactLoadingException

from .projects import Project, SavedBundle

SERVICE = """
import bentoml
from bentoml.adapters import JsonInput
from bentoml.frameworks.sklearn import SklearnModelArtifact

@bentoml.artifacts([SklearnModelArtifact("model")])
class Modelled(bentoml.BentoService):
    @bentoml.api(input=JsonInput(), batch=False)
    def predict(self, value):
        return value
"""
PACK = """
from sklearn.linear_model import LogisticRegression
svc.pack("model", LogisticRegression().fit([[0.0], [1.0]], [0, 1])).set_version("1")
"""


@pytest.fixture
def modelled(project: Project) -> SavedBundle:
    return project.write(**{"modelled.py": SERVICE}).save("modelled", "Modelled", pack=PACK)


def claim(bundle: SavedBundle, version: str) -> None:
    """Have the bundle say that it was saved with this scikit-learn."""
    for file in (bundle.path / "bentoml.yml", bundle.package / "bentoml.yml"):
        lines = file.read_text().splitlines()
        found = [i for i, line in enumerate(lines) if line.strip().startswith("scikit-learn:")]
        for i in found:
            lines[i] = lines[i].partition("scikit-learn:")[0] + f"scikit-learn: {version}"
        assert found
        file.write_text("\n".join(lines) + "\n")
    write_manifest(bundle.path)


def test_what_a_model_came_from_is_recorded(modelled: SavedBundle) -> None:
    import sklearn

    (artifact,) = read_descriptor(modelled.path).artifacts
    assert artifact.packages["scikit-learn"] == sklearn.__version__
    assert "numpy" in artifact.packages
    assert "bentoml" not in artifact.packages


@pytest.mark.usefixtures("propagating_logger")
def test_T11_other_versions_are_a_warning(modelled: SavedBundle, caplog: pytest.LogCaptureFixture) -> None:
    import sklearn

    claim(modelled, "0.19.2")
    load_from_dir(modelled.path)
    assert f"scikit-learn 0.19.2 when it was saved, scikit-learn {sklearn.__version__}" in caplog.text
    caplog.clear()
    same = ".".join(sklearn.__version__.split(".")[:2])
    claim(modelled, f"'{same}.99'")
    load_from_dir(modelled.path)
    assert "comes from other versions" not in caplog.text


def test_T11_a_model_that_does_not_load_names_both_versions(modelled: SavedBundle) -> None:
    import sklearn

    claim(modelled, "0.19.2")
    gone = b"csklearn.linear_model.logistic\nLogisticRegression\n)R."  # where it was before 0.22
    (modelled.package / "artifacts/model.pkl").write_bytes(gone)
    write_manifest(modelled.path)
    with pytest.raises(ArtifactLoadingException) as caught:
        load_from_dir(modelled.path)
    text = str(caught.value)
    assert "No module named 'sklearn.linear_model.logistic'" in text
    assert (
        f"scikit-learn 0.19.2 when it was saved, scikit-learn {sklearn.__version__} is installed here" in text
    )
    assert "pip install 'scikit-learn==0.19.2'" in text


def test_T12_requirements_and_the_pickle_itself_tell_the_version(tmp_path: Path) -> None:
    """A bundle of 0.13 has no record: its pins and scikit-learn's own mark are read."""
    from datetime import datetime, timezone

    from bentoml.bundle.descriptor import ArtifactDescriptor, BundleDescriptor

    (tmp_path / "Old/artifacts").mkdir(parents=True)
    state = b"(dS'_sklearn_version'\nS'0.23.2'\nsb."
    (tmp_path / "Old/artifacts/model.pkl").write_bytes(b"csklearn.x\nY\n)R" + state)
    old = BundleDescriptor(
        "Old", "1", datetime.now(timezone.utc), "old", "old.py", "0.13.1",
        env={"pip_packages": ["bentoml==0.13.1", "numpy==1.19.5", "nowhere-to-be-found==1"]},
        artifacts=(ArtifactDescriptor("model", "SklearnModelArtifact"),),
    )  # fmt: skip
    text = str(versions.explained(ArtifactLoadingException("it failed"), tmp_path, old))
    assert text.startswith("it failed. Versions differ: numpy 1.19.5")
    assert "scikit-learn 0.23.2 when it was saved" in text
    assert "nowhere" not in text
