# ruff: noqa: RUF012 - the contract declares these as class variables
from __future__ import annotations

from typing import Any

import pytest
from contracts.artifact_contract import ArtifactContract

pytestmark = pytest.mark.frameworks
paddle = pytest.importorskip("paddle")

from bentoml.exceptions import InvalidArgument  # noqa: E402


class Linear(paddle.nn.Layer):  # type: ignore[name-defined,misc]
    def __init__(self) -> None:
        super().__init__()
        self.layer = paddle.nn.Linear(3, 2)

    @paddle.jit.to_static(input_spec=[paddle.static.InputSpec([None, 3], "float32")])
    def forward(self, x: Any) -> Any:
        return self.layer(x)


class Untraced(paddle.nn.Layer):  # type: ignore[name-defined,misc]
    def forward(self, x: Any) -> Any:
        return x


class TestLayer(ArtifactContract):
    ARTIFACT = "bentoml.frameworks.paddle:PaddlePaddleModelArtifact"
    SETUP = (
        "import numpy\n"
        "def run(model):\n"
        "    x = numpy.ones((2, 3), 'float32')\n"
        "    if hasattr(model, 'parameters'):\n"
        "        return model(__import__('paddle').to_tensor(x)).numpy().tolist()\n"
        "    model.get_input_handle(model.get_input_names()[0]).copy_from_cpu(x)\n"
        "    model.run()\n"
        "    return model.get_output_handle(model.get_output_names()[0]).copy_to_cpu().tolist()\n"
    )
    PROBE = "run(model)"
    FILES = {"my_model.pdiparams", "my_model.yml"}
    WRONG = ("my_model.pdmodel", None, 3, Untraced())
    WRONG_ERROR = InvalidArgument
    INFERRED_PIP = {"paddlepaddle"}

    def model(self) -> Any:
        paddle.seed(0)
        return Linear()
