"""Names of adapters from before 0.13: what replaced them, and what is gone."""

from __future__ import annotations

import gzip
import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

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


def test_helpers_of_custom_adapters() -> None:
    numpy = pytest.importorskip("numpy")
    from bentoml.adapters import utils

    values = {"a": numpy.float32(1.5), "b": numpy.arange(2), "c": b"x", "d": b"\xff", "e": object}
    for encoder in (utils.NumpyJsonEncoder, utils.TfTensorJsonEncoder):
        found = json.loads(json.dumps(values, cls=encoder))
        assert found["e"] == {"unknown_obj": str(object)}
        assert [found[key] for key in "abcd"] == [1.5, [0, 1], "x", {"b64": "/w=="}]
    assert utils.concat_list([[1], [1, 2], [], 7], [True, True, True, False]) == (
        [1, 1, 2, 7],
        [slice(0, 1), slice(1, 3), slice(3, 3), 3],
    )
    names = ("a.png", "a.PNG", "a.txt", "png", "")
    assert [utils.check_file_extension(name, [".png"]) for name in names] == [True, True, False, False, False]
    assert ".webp" in utils.get_default_accept_image_formats()


def test_an_adapter_that_unpacks_by_the_old_decorator() -> None:
    from contracts.probe import make_client, send

    from bentoml.adapters.base_input import BaseInputAdapter
    from bentoml.adapters.utils import decompress_gzip_request
    from bentoml.types import InferenceTask

    class Shout(BaseInputAdapter):
        @decompress_gzip_request
        def from_http_request(self, req: Any) -> Any:
            return InferenceTask(data=req.body.decode(), http_headers=req.headers)

        def extract_user_func_args(self, tasks: Any) -> Any:
            return ([task.data.upper() for task in tasks],)

    client = make_client(lambda self, values: values, Shout())
    assert send(client, b"ab").json() == "AB"
    assert send(client, gzip.compress(b"ab"), Content_Encoding="gzip").json() == "AB"
    broken = send(client, b"ab", Content_Encoding="gzip")
    assert broken.status_code == 400


def test_endings_of_images_are_those_of_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bentoml.adapters import ImageInput, MultiImageInput

    config = tmp_path / "config.yml"
    config.write_text("adapters: {image_input: {default_extensions: ['.gif']}}\n")
    assert ".gif" not in ImageInput().accept_image_formats
    monkeypatch.setenv("BENTOML_CONFIG", str(config))
    assert ImageInput().accept_image_formats[-2:] == [".bmp", ".gif"]
    assert ".gif" in MultiImageInput().accept_image_formats
    assert ImageInput(["PNG"]).accept_image_formats == [".png"]
