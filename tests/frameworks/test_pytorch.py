# ruff: noqa: RUF012 - the contract declares these as class variables
from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import pytest
from contracts.artifact_contract import ArtifactContract

torch = pytest.importorskip("torch")

from bentoml.exceptions import ArtifactLoadingException, InvalidArgument  # noqa: E402
from bentoml.frameworks.pytorch import PytorchLightningModelArtifact, PytorchModelArtifact  # noqa: E402


def small_network() -> Any:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2)).eval()


class TestModule(ArtifactContract):
    ARTIFACT = "bentoml.frameworks.pytorch:PytorchModelArtifact"
    SETUP = "import torch"
    PROBE = "model(torch.tensor([[1.0, 2.0, 3.0]])).tolist()"
    FILES = {"my_model.pt", "my_model.yml"}
    WRONG = ({"state": "dict"}, "model.pt", None, torch.nn.Linear)
    WRONG_ERROR = InvalidArgument
    INFERRED_PIP = {"torch"}

    def model(self) -> Any:
        return small_network()


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
class TestTorchScript(TestModule):
    OPTIONS = {"file_extension": ".ts"}
    FILES = {"my_model.ts", "my_model.yml"}

    def model(self) -> Any:
        return torch.jit.trace(small_network(), torch.zeros(1, 3))


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
class TestLightningFromTorchScript(TestModule):
    ARTIFACT = "bentoml.frameworks.pytorch:PytorchLightningModelArtifact"
    WRONG = (3, None, "no_such_file.pt", torch.nn.Linear(1, 1))
    ALWAYS_PIP = {"pytorch-lightning"}
    INFERRED_PIP = set()

    def model(self) -> Any:
        return torch.jit.trace(small_network(), torch.zeros(1, 3))


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_lightning_takes_the_path_of_a_torchscript_file(tmp_path: Path) -> None:
    script = torch.jit.trace(small_network(), torch.zeros(1, 3))
    torch.jit.save(script, str(tmp_path / "given.pt"))
    (tmp_path / "out").mkdir()
    artifact = PytorchLightningModelArtifact("net").pack(str(tmp_path / "given.pt"))
    artifact.save(str(tmp_path / "out"))
    assert (tmp_path / "out/net.pt").read_bytes() == (tmp_path / "given.pt").read_bytes()
    x = torch.ones(1, 3)
    assert torch.equal(PytorchLightningModelArtifact("net").load(str(tmp_path / "out")).get()(x), script(x))


@pytest.mark.filterwarnings("ignore")  # Lightning and torch announce the end of TorchScript
def test_lightning_module_becomes_torchscript(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lightning = pytest.importorskip("pytorch_lightning")

    class Plus(lightning.LightningModule):
        def forward(self, x):  # TorchScript reads a missing annotation as Tensor
            return x.add(1)

    PytorchLightningModelArtifact("net").pack(Plus()).save(str(tmp_path))
    model = PytorchLightningModelArtifact("net").load(str(tmp_path)).get()
    assert isinstance(model, torch.jit.ScriptModule) and model(torch.zeros(1)).item() == 1.0
    monkeypatch.delattr(lightning.LightningModule, "to_torchscript")
    with pytest.raises(InvalidArgument, match=r"Pack torch\.jit\.trace"):
        PytorchLightningModelArtifact("net").pack(Plus())


@pytest.mark.skipif(torch.cuda.is_available(), reason="shows what happens without a GPU")
def test_a_model_pickled_on_a_gpu_loads_on_a_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bytes a GPU host writes: the storages carry the location `cuda:0`."""
    network = small_network()
    with monkeypatch.context() as patch:
        patch.setattr(torch.serialization, "location_tag", lambda storage: "cuda:0")
        content = pickle.dumps(network)
    with pytest.raises(RuntimeError, match="CUDA"):
        pickle.loads(content)
    (tmp_path / "net.pt").write_bytes(content)
    loaded = PytorchModelArtifact("net").load(str(tmp_path)).get()
    x = torch.ones(1, 3)
    assert torch.equal(loaded(x), network(x))


def test_a_file_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "net.pt").write_bytes(pickle.dumps({"weights": 1}))
    with pytest.raises(InvalidArgument, match="not dict"):
        PytorchModelArtifact("net").load(str(tmp_path))
    buffer = io.BytesIO()
    torch.save(small_network().state_dict(), buffer)
    (tmp_path / "net.pt").write_bytes(buffer.getvalue())
    with pytest.raises(InvalidArgument, match="not OrderedDict"):
        PytorchModelArtifact("net").load(str(tmp_path))
    (tmp_path / "net.pt").write_bytes(buffer.getvalue()[:-200])
    with pytest.raises(ArtifactLoadingException, match="net"):
        PytorchModelArtifact("net").load(str(tmp_path))


class Own(torch.nn.Module):  # type: ignore[name-defined,misc]
    """A class that is pickled by value where it cannot be imported."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1024, 8200)
        self.register_buffer("scale", torch.tensor(2.0))
        self.note = lambda x: x + 1

    def forward(self, x: Any) -> Any:
        return self.note(self.layer(x) * self.scale)


class TestLargeModule(TestModule):
    """Written by `torch.save`, because of its size."""

    PROBE = "model(torch.ones(1, 1024)).sum().item()"

    def model(self) -> Any:
        torch.manual_seed(0)
        return torch.nn.Sequential(torch.nn.Linear(1024, 8200), torch.nn.Linear(8200, 2))


def test_large_weights_are_mapped_and_may_be_written(tmp_path: Path) -> None:
    model = Own()
    PytorchModelArtifact("net").pack(model).save(str(tmp_path))
    loaded = PytorchModelArtifact("net").load(str(tmp_path)).get()
    x = torch.ones(1, 1024)
    assert torch.equal(loaded(x), model(x))
    begin = loaded.layer.weight.data_ptr()
    with open("/proc/self/maps") as maps:
        lines = [line.split() for line in maps if line.rstrip().endswith("net.pt")]
    spans = [[int(end, 16) for end in line[0].split("-")] for line in lines]
    assert any(first <= begin < last for first, last in spans)
    before = (tmp_path / "net.pt").read_bytes()
    with torch.no_grad():
        loaded.layer.weight.zero_()
    assert (tmp_path / "net.pt").read_bytes() == before
