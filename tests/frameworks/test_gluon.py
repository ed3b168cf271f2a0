# ruff: noqa: RUF012 - the contract declares these as class variables
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from contracts.artifact_contract import ArtifactContract

pytestmark = pytest.mark.frameworks
mxnet = pytest.importorskip("mxnet")

from bentoml.exceptions import InvalidArgument  # noqa: E402
from bentoml.frameworks.gluon import GluonModelArtifact  # noqa: E402


def block() -> Any:
    net = mxnet.gluon.nn.HybridSequential()
    net.add(mxnet.gluon.nn.Dense(4, in_units=3, activation="relu"), mxnet.gluon.nn.Dense(2, in_units=4))
    net.initialize(mxnet.init.Constant(0.5))
    return net


class TestBlock(ArtifactContract):
    ARTIFACT = "bentoml.frameworks.gluon:GluonModelArtifact"
    SETUP = "import mxnet"
    PROBE = "model(mxnet.nd.array([[1, 2, 3], [0, 0, 1]])).asnumpy().tolist()"
    FILES = {"my_model-symbol.json", "my_model-0000.params", "my_model.yml"}
    WRONG = ("model.params", None, mxnet.gluon.nn.Dense)
    WRONG_ERROR = InvalidArgument
    INFERRED_PIP = {"mxnet"}

    def model(self) -> Any:
        net = block()
        net.hybridize()
        net(mxnet.nd.ones((1, 3)))
        return net


def test_a_block_that_was_never_run_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match=r"hybridize\(\) on it and run it once"):
        GluonModelArtifact("m").pack(block()).save(str(tmp_path))
