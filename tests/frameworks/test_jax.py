# ruff: noqa: RUF012 - the contract declares these as class variables
from __future__ import annotations

from typing import Any

import pytest
from contracts.artifact_contract import ArtifactContract

pytestmark = pytest.mark.frameworks
jax = pytest.importorskip("jax")
pytest.importorskip("flatbuffers")
import jax.numpy as jnp  # noqa: E402
from jax import export  # noqa: E402

from bentoml.exceptions import InvalidArgument  # noqa: E402


class TestExported(ArtifactContract):
    ARTIFACT = "bentoml.frameworks.jax:JaxModelArtifact"
    SETUP = (
        "import numpy\n"
        "def run(model):\n"
        "    model = getattr(model, 'call', model)\n"
        "    return [model(numpy.ones((n, 4), 'float32')).tolist() for n in (1, 3)]\n"
    )
    PROBE = "run(model)"
    FILES = {"my_model.jax", "my_model.yml"}
    WRONG = (jnp.sin, jax.jit(jnp.sin), None, "model.jax")
    WRONG_ERROR = InvalidArgument
    INFERRED_PIP = {"jax", "flatbuffers"}

    def model(self) -> Any:
        weights = jnp.arange(8.0).reshape(4, 2)
        (batch,) = export.symbolic_shape("batch")
        shape = jax.ShapeDtypeStruct((batch, 4), jnp.float32)
        return export.export(jax.jit(lambda x: jnp.tanh(x @ weights)))(shape)
