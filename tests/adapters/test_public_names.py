"""`bentoml.adapters`: lazy, complete, and clear about what it does not have."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bentoml import adapters


def test_every_name_can_be_imported() -> None:
    for name in adapters.__all__:
        assert getattr(adapters, name).__name__ == name
    assert dir(adapters) == adapters.__all__


def test_an_unknown_name_is_answered_with_those_there_are() -> None:
    with pytest.raises(AttributeError, match=r"no 'JsonImput'; it has .*JsonInput"):
        _ = adapters.JsonImput


def test_importing_the_package_imports_no_adapter() -> None:
    probe = (
        "import sys, bentoml.adapters; print([m for m in sys.modules if m.startswith('bentoml.adapters.')])"
    )
    found = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("module", "name"),
    [("string_input", "StringInput"), ("json_input", "JsonInput"), ("dataframe_input", "DataframeInput"),
     ("file_input", "FileInput"), ("image_input", "ImageInput"), ("base_input", "BaseInputAdapter"),
     ("base_output", "BaseOutputAdapter"), ("default_output", "DefaultOutput"), ("json_output", "JsonOutput"),
     ("dataframe_output", "DataframeOutput"), ("multi_file_input", "MultiFileInput"),
     ("multi_image_input", "MultiImageInput"), ("annotated_image_input", "AnnotatedImageInput"),
     ("tensorflow_tensor_input", "TfTensorInput"), ("tensorflow_tensor_output", "TfTensorOutput")],
)  # fmt: skip
def test_module_paths_of_the_013_line(module: str, name: str) -> None:
    found = __import__(f"bentoml.adapters.{module}", fromlist=[name])
    assert getattr(found, name) is getattr(adapters, name)
