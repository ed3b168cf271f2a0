"""Importing the authoring side reads the standard library only, in a fresh interpreter."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

AUTHORING = [
    "bentoml",
    "bentoml.service",
    "bentoml.service.artifacts",
    "bentoml.service.artifacts.common",
    "bentoml.frameworks._registry",
    "bentoml.frameworks.sklearn",
    "bentoml.frameworks.pytorch",
    "bentoml.frameworks.transformers",
    "bentoml.adapters",
    "bentoml.types",
    "bentoml.exceptions",
    "bentoml.plugins",
    "bentoml.tags",
]

PROGRAM = """
import sys
before = set(sys.modules)
{statements}
import json
known = set(sys.stdlib_module_names) | {{"bentoml", "__main__"}}
new = {{name.partition(".")[0] for name in set(sys.modules) - before}}
print(json.dumps(sorted(new - known)))
"""

SERVICE = """
import bentoml
from bentoml.adapters import JsonInput, DataframeInput, ImageInput, DefaultOutput
from bentoml.frameworks.sklearn import SklearnModelArtifact
from bentoml.service.artifacts.common import PickleArtifact

@bentoml.env(pip_packages=["scikit-learn"], infer_pip_packages=True)
@bentoml.artifacts([SklearnModelArtifact("model"), PickleArtifact("extra")])
@bentoml.ver(1, 0)
class Service(bentoml.BentoService):
    @bentoml.api(input=JsonInput(), batch=True)
    def predict(self, items):
        return items

service = Service()
service.pack("extra", 3)
service.version, service.env.to_dict(), service.get_bento_service_metadata()
"""


def third_party_modules(statements: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(statements=statements)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    names: list[str] = json.loads(done.stdout)
    return names


@pytest.mark.parametrize("module", AUTHORING)
def test_importing_it_reads_the_standard_library_only(module: str) -> None:
    assert third_party_modules(f"import {module}") == []


def test_defining_and_packing_a_service_reads_the_standard_library_only() -> None:
    assert third_party_modules(SERVICE) == []


def test_the_check_itself_sees_a_third_party_package() -> None:
    assert "yaml" in third_party_modules("import yaml")


def test_importing_the_package_imports_none_of_its_areas() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import bentoml, sys; print([m for m in sys.modules if m.startswith('bentoml.')])",
        ],
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "[]", done.stderr
