"""Names of adapters from before 0.13: what replaced them, and what is gone."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from bentoml import adapters, handlers


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("BentoHandler", "BaseInputAdapter"),
        ("DataframeHandler", "DataframeInput"),
        ("TensorflowTensorHandler", "TfTensorInput"),
        ("JsonHandler", "JsonInput"),
        ("ImageHandler", "MultiImageInput"),
    ],
)
def test_a_handler_is_its_adapter_and_the_warning_names_it(old: str, new: str) -> None:
    with pytest.warns(DeprecationWarning, match=rf"{old} is deprecated.*removed in 1\.0.*adapters\.{new}$"):
        found = getattr(handlers, old)
    assert found is getattr(adapters, new)
    assert old in dir(handlers)


def test_the_warning_points_at_the_import_of_the_user() -> None:
    probe = "import warnings; warnings.simplefilter('always')\nfrom bentoml.handlers import JsonHandler"
    found = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert "<string>:2: DeprecationWarning" in found.stderr


@pytest.mark.parametrize(
    ("kind", "new"),
    [
        ("Bytes", "FileInput"),
        ("Floats", "NdarrayInput"),
        ("Ints", "NdarrayInput"),
        ("Doubles", "NdarrayInput"),
        ("Strings", "StringInput"),
    ],
)
def test_clipper_is_gone_and_says_what_to_use(kind: str, new: str) -> None:
    for statement in (
        f"from bentoml.adapters import Clipper{kind}Input",
        f"from bentoml.adapters.clipper_input import Clipper{kind}Input",
        f"from bentoml.handlers import Clipper{kind}Handler",
    ):
        with pytest.raises(ImportError, match=rf"no longer developed.*adapters\.{new}.*bentoml serve"):
            exec(statement, {})
    assert hasattr(adapters, new)


@pytest.mark.parametrize("module", ["bentoml.adapters", "bentoml.adapters.clipper_input", "bentoml.handlers"])
def test_names_that_never_were(module: str) -> None:
    for name in ("ClipperFishInput", "FishHandler"):
        with pytest.raises(AttributeError, match=name):
            getattr(importlib.import_module(module), name)
