# ruff: noqa: RUF012 - the contract declares these as class variables
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from contracts.artifact_contract import ArtifactContract

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from bentoml.exceptions import BentoMLException, InvalidArgument  # noqa: E402
from bentoml.frameworks.onnx import OnnxModelArtifact  # noqa: E402


def linear(rows: int = 3) -> Any:
    """y = x @ w, with w of shape (rows, 2)."""
    weights = np.arange(rows * 2, dtype=np.float32).reshape(rows, 2)
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMul", ["x", "w"], ["y"])],
        "linear",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [None, rows])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [None, 2])],
        [onnx.numpy_helper.from_array(weights, "w")],
    )
    opset = [onnx.helper.make_opsetid("", 17)]
    return onnx.helper.make_model(graph, opset_imports=opset, ir_version=9)


class TestModel(ArtifactContract):
    ARTIFACT = "bentoml.frameworks.onnx:OnnxModelArtifact"
    SETUP = (
        "import numpy\n"
        "def run(model):\n"
        "    if hasattr(model, 'SerializeToString'):\n"
        "        import onnxruntime\n"
        "        model = onnxruntime.InferenceSession(model.SerializeToString())\n"
        "    return model.run(None, {'x': numpy.array([[1, 2, 3]], dtype='float32')})[0].tolist()\n"
    )
    PROBE = "run(model)"
    FILES = {"my_model.onnx", "my_model.yml"}
    WRONG = ("model.onnx", "model.pt", 3, None, b"bytes")
    WRONG_ERROR = InvalidArgument
    INFERRED_PIP = {"onnxruntime"}

    def model(self) -> Any:
        return linear()


class TestProviders(TestModel):
    OPTIONS = {"providers": ["CPUExecutionProvider"]}


def test_a_file_is_copied_with_its_external_data(tmp_path: Path) -> None:
    given, bundle = tmp_path / "given", tmp_path / "bundle"
    given.mkdir()
    bundle.mkdir()
    onnx.save_model(
        linear(2000),
        str(given / "big.onnx"),
        save_as_external_data=True,
        location="big.data",
        size_threshold=0,
    )
    artifact = OnnxModelArtifact("net").pack(given / "big.onnx")
    session = artifact.get()
    assert artifact.get() is session
    artifact.save(str(bundle))
    assert {file.name for file in bundle.iterdir()} == {"net.onnx", "big.data"}
    x = {"x": np.ones((1, 2000), dtype=np.float32)}
    loaded = OnnxModelArtifact("net").load(str(bundle)).get()
    assert loaded.run(None, x)[0].tolist() == session.run(None, x)[0].tolist()


def test_external_data_outside_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    model = linear()
    onnx.external_data_helper.set_external_data(model.graph.initializer[0], location="../secret.data")
    model.graph.initializer[0].ClearField("raw_data")
    (tmp_path / "in/m.onnx").write_bytes(model.SerializeToString())
    (tmp_path / "secret.data").write_bytes(b"0" * 24)
    with pytest.raises(InvalidArgument, match=r"secret\.data.*not beside"):
        OnnxModelArtifact("net").pack(str(tmp_path / "in/m.onnx")).save(str(tmp_path))


def test_unknown_backends_are_refused() -> None:
    with pytest.raises(BentoMLException, match="'tensorrt' runtime is not supported"):
        OnnxModelArtifact("net", backend="tensorrt")
