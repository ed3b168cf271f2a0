# ruff: noqa: RUF012 - the contract declares these as class variables
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from contracts.artifact_contract import ArtifactContract

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from bentoml.exceptions import ArtifactLoadingException, InvalidArgument  # noqa: E402
from bentoml.frameworks.safetensors import SafetensorsModelArtifact  # noqa: E402


class TestModule(ArtifactContract):
    ARTIFACT = "bentoml.frameworks.safetensors:SafetensorsModelArtifact"
    SETUP = "import torch; torch.manual_seed(0); x = torch.ones(1, 4, 8)"
    PROBE = "[model.training, model(x).tolist()]"
    FILES = {"my_model.safetensors", "my_model_class.json", "my_model.yml"}
    WRONG = ("net.safetensors", {"w": 1}, {}, None, torch.nn.Linear)
    WRONG_ERROR = InvalidArgument
    INFERRED_PIP = {"safetensors", "torch"}
    INIT = {"d_model": 8, "nhead": 2, "dim_feedforward": 16, "batch_first": True}

    def make(self) -> Any:
        artifact: Any = super().make()
        pack = artifact.pack
        artifact.pack = lambda model, **options: pack(model, **{"init": self.INIT, **options})
        return artifact

    def model(self) -> Any:
        torch.manual_seed(0)
        return torch.nn.TransformerEncoderLayer(**self.INIT).eval()  # type: ignore[arg-type]

    def test_packed_object_is_returned(self) -> None:
        model = self.model()
        artifact = SafetensorsModelArtifact("my_model").pack(model)
        assert artifact.get() is model and artifact.packed and not artifact.loaded


class TestTensors(ArtifactContract):
    ARTIFACT = TestModule.ARTIFACT
    PROBE = "[model['w'].tolist(), model['b'].tolist()]"
    FILES = {"my_model.safetensors", "my_model.yml"}
    WRONG = TestModule.WRONG
    WRONG_ERROR = InvalidArgument
    INFERRED_PIP = {"safetensors", "torch"}

    def model(self) -> Any:
        return {"w": torch.arange(6.0).reshape(2, 3).T, "b": torch.ones(2, dtype=torch.bfloat16)}


class Tied(torch.nn.Module):  # type: ignore[name-defined,misc]
    """Input and output share one matrix, as in language models; one buffer is not stored."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = torch.nn.Embedding(10, 4)
        self.head = torch.nn.Linear(4, 10, bias=False)
        self.head.weight = self.embed.weight
        self.register_buffer("scale", torch.full((1,), 2.0), persistent=False)

    def forward(self, ids: Any) -> Any:
        return self.head(self.embed(ids) * self.scale)


def test_tied_weights_are_stored_once_and_come_back_tied(tmp_path: Path) -> None:
    model = Tied()
    SafetensorsModelArtifact("net", module=Tied).pack(model).save(str(tmp_path))
    assert (tmp_path / "net.safetensors").stat().st_size < 2 * 10 * 4 * 4
    assert not (tmp_path / "net_class.json").exists()
    loaded = SafetensorsModelArtifact("net", module=Tied).load(str(tmp_path)).get()
    ids = torch.tensor([[1, 9]])
    assert torch.equal(loaded(ids), model(ids)) and loaded.training
    assert loaded.head.weight.data_ptr() == loaded.embed.weight.data_ptr()


def test_views_of_one_tensor_keep_their_own_values(tmp_path: Path) -> None:
    base = torch.arange(6.0)
    SafetensorsModelArtifact("t").pack({"a": base[:3], "b": base[3:], "c": base}).save(str(tmp_path))
    loaded = SafetensorsModelArtifact("t").load(str(tmp_path)).get()
    assert {key: value.tolist() for key, value in loaded.items()} == {
        "a": [0, 1, 2],
        "b": [3, 4, 5],
        "c": [0, 1, 2, 3, 4, 5],
    }


def test_weights_of_another_module_are_refused(tmp_path: Path) -> None:
    SafetensorsModelArtifact("net", module=Tied).pack(Tied()).save(str(tmp_path))
    other = SafetensorsModelArtifact("net", module=lambda: torch.nn.Linear(2, 2))
    with pytest.raises(ArtifactLoadingException, match="do not fit Linear"):
        other.load(str(tmp_path))


def test_constructor_arguments_must_be_plain(tmp_path: Path) -> None:
    artifact = SafetensorsModelArtifact("net")
    artifact.pack(torch.nn.Linear(1, 1), init={"in_features": 1, "out_features": 1, "dtype": torch.float32})
    with pytest.raises(InvalidArgument, match="key 'dtype': a dtype cannot be stored"):
        artifact.save(str(tmp_path))
