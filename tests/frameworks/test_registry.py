from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from bentoml.frameworks import _registry
from bentoml.frameworks._registry import FRAMEWORKS, import_package
from bentoml.frameworks.sklearn import SklearnModelArtifact
from bentoml.service.artifacts.base import BentoServiceArtifact


@pytest.mark.parametrize("name", list(FRAMEWORKS))
def test_every_entry_is_an_artifact_class_with_a_hint(name: str) -> None:
    cls = FRAMEWORKS.load(name)
    assert issubclass(cls, BentoServiceArtifact) and cls.__name__ == name
    assert FRAMEWORKS.entry(name).install_hint.startswith("pip install ")


def test_the_table_is_sorted_and_lists_every_artifact_module() -> None:
    text = Path(_registry.__file__).read_text(encoding="utf-8")
    names = re.findall(r'^        "(\w+)": Entry', text, re.MULTILINE)
    assert names == sorted(names) and len(names) >= 3
    classes = {
        found
        for file in Path(_registry.__file__).parent.glob("[!_]*.py")
        for found in re.findall(
            r"^class (\w+)\((?:BentoServiceArtifact|ModelArtifact)\)", file.read_text(encoding="utf-8"), re.M
        )
    }
    assert classes == set(names)


PACKAGES = {
    "CatBoostModelArtifact": "catboost",
    "CoreMLModelArtifact": "coremltools",
    "DetectronModelArtifact": "detectron2",
    "EasyOCRArtifact": "easyocr",
    "EvalMLModelArtifact": "evalml",
    "Fastai1ModelArtifact": "fastai",
    "FastaiModelArtifact": "fastai",
    "FasttextModelArtifact": "fasttext",
    "FlaxModelArtifact": "flax",
    "GluonModelArtifact": "mxnet",
    "H2oModelArtifact": "h2o",
    "JaxModelArtifact": "jax",
    "KerasModelArtifact": "keras",
    "LightGBMModelArtifact": "lightgbm",
    "MlflowModelArtifact": "mlflow",
    "OnnxMlirModelArtifact": "PyRuntime",
    "OnnxModelArtifact": "onnxruntime",
    "PaddlePaddleModelArtifact": "paddle",
    "PytorchLightningModelArtifact": "torch",
    "PytorchModelArtifact": "torch",
    "SafetensorsModelArtifact": "torch",
    "SentenceTransformersModelArtifact": "sentence_transformers",
    "SklearnModelArtifact": "joblib",
    "SpacyModelArtifact": "spacy",
    "StatsmodelsModelArtifact": "statsmodels",
    "TensorflowSavedModelArtifact": "tensorflow",
    "TransformersModelArtifact": "transformers",
    "XgboostModelArtifact": "xgboost",
}

WITHOUT_PACKAGES = """
import importlib.abc, importlib.machinery, json, sys
packages = json.load(sys.stdin)
gone = {*packages.values(), "tf_keras", "tensorflow"}

class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in gone:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

import importlib.util
finder, find_spec = Missing(), importlib.util.find_spec
importlib.util.find_spec = lambda name, *args: None if name in gone else find_spec(name, *args)
sys.meta_path.insert(0, finder)
from bentoml.exceptions import MissingDependencyException
from bentoml.frameworks._registry import FRAMEWORKS
messages = {}
for name in packages:
    try:
        FRAMEWORKS.load(name)("m").load(".")
    except MissingDependencyException as err:
        messages[name] = str(err)
print(json.dumps(messages))
"""


def test_every_missing_package_is_named_with_its_command() -> None:
    built_in = [name for name in FRAMEWORKS if FRAMEWORKS.entry(name).target.startswith("bentoml.")]
    assert sorted(PACKAGES) == built_in
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PACKAGES], input=json.dumps(PACKAGES), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        name: f"{package} package is required to use {name}. "
        f"Install it with: {FRAMEWORKS.entry(name).install_hint}"
        for name, package in PACKAGES.items()
    }


@pytest.mark.parametrize("name", list(FRAMEWORKS))
def test_every_artifact_says_what_it_takes_and_writes(name: str) -> None:
    reference = FRAMEWORKS.load(name).REFERENCE  # type: ignore[attr-defined]
    assert reference.takes and reference.gives and "`" in reference.files


def test_the_modules_import_no_framework() -> None:
    program = (
        "import sys\n"
        "from bentoml.frameworks._registry import FRAMEWORKS\n"
        "before = set(sys.modules)\n"
        "[FRAMEWORKS.load(name) for name in FRAMEWORKS]\n"
        "roots = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(roots - set(sys.stdlib_module_names) - {'bentoml'}))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_a_broken_package_is_not_reported_as_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "half_installed_framework.py").write_text("import a_module_it_needs_and_lacks\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="a_module_it_needs_and_lacks"):
        import_package("half_installed_framework", SklearnModelArtifact("m"))


def test_a_subclass_keeps_the_hint_of_its_framework() -> None:
    class Mine(SklearnModelArtifact):
        pass

    message = str(_registry.missing("joblib", Mine("m")))
    assert message == (
        "joblib package is required to use Mine. Install it with: pip install 'bentoml[sklearn]'"
    )


def test_a_package_of_an_option_has_its_own_hint() -> None:
    message = str(_registry.missing("skops.io", SklearnModelArtifact("m")))
    assert message.endswith("pip install 'bentoml[skops]'")


WITHOUT_EXTRA = {"DetectronModelArtifact", "Fastai1ModelArtifact", "OnnxMlirModelArtifact"}
"""Packages that are in no index, or that another class has in a newer release."""
DISTRIBUTIONS = {
    "mlflow": "mlflow-skinny",
    "paddle": "paddlepaddle",
    "sentence_transformers": "sentence-transformers",
}


@pytest.mark.parametrize("name", PACKAGES)
def test_the_hint_is_an_extra_that_brings_the_package(name: str) -> None:
    hint = FRAMEWORKS.entry(name).install_hint
    if name in WITHOUT_EXTRA:
        assert "bentoml[" not in hint
        return
    extra = re.fullmatch(r"pip install 'bentoml\[([a-z0-9-]+)\]'", hint)
    assert extra, hint
    brought = {
        found.name
        for text in requires("bentoml") or []
        if (found := Requirement(text)).marker and found.marker.evaluate({"extra": extra.group(1)})
    }
    package = PACKAGES[name]
    assert DISTRIBUTIONS.get(package, package) in brought
