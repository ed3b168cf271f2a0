from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

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
        for file in Path(_registry.__file__).parent.glob("*.py")
        for found in re.findall(
            r"^class (\w+)\(BentoServiceArtifact\)", file.read_text(encoding="utf-8"), re.M
        )
    }
    assert classes == set(names)


MISSING = """
import sys
sys.modules[{package!r}] = None
from bentoml.exceptions import MissingDependencyException
from {module} import {cls}
try:
    {cls}('m').{call}
except MissingDependencyException as err:
    print(err)
"""


@pytest.mark.parametrize(
    ("package", "module", "cls", "call", "hint"),
    [
        ("joblib", "bentoml.frameworks.sklearn", "SklearnModelArtifact", "load('.')", "scikit-learn"),
        ("torch", "bentoml.frameworks.pytorch", "PytorchModelArtifact", "pack(1)", "torch"),
        ("torch", "bentoml.frameworks.pytorch", "PytorchModelArtifact", "load('.')", "torch"),
    ],
)
def test_missing_package_is_named_with_its_command(
    package: str, module: str, cls: str, call: str, hint: str
) -> None:
    program = MISSING.format(package=package, module=module, cls=cls, call=call)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert f"{package} package is required to use {cls}" in done.stdout, done.stderr
    assert f"pip install {hint}" in done.stdout


def test_a_broken_package_is_not_reported_as_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "half_installed_framework.py").write_text("import a_module_it_needs_and_lacks\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="a_module_it_needs_and_lacks"):
        import_package("half_installed_framework", SklearnModelArtifact("m"))


def test_a_subclass_keeps_the_hint_of_its_framework() -> None:
    class Mine(SklearnModelArtifact):
        pass

    message = str(_registry.missing("joblib", Mine("m")))
    assert message == ("joblib package is required to use Mine. Install it with: pip install scikit-learn")
