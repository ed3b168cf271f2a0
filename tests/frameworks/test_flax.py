# ruff: noqa: RUF012 - the contract declares these as class variables
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from contracts.artifact_contract import ArtifactContract

pytestmark = pytest.mark.frameworks
flax = pytest.importorskip("flax")
import flax.linen as nn  # noqa: E402
import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402

from bentoml.exceptions import InvalidArgument  # noqa: E402
from bentoml.frameworks.flax import FlaxModelArtifact  # noqa: E402

X = jnp.ones((2, 4))


class Scaled(nn.Module):
    activation: Callable[..., Any]

    @nn.compact
    def __call__(self, x: Any) -> Any:
        return self.activation(nn.Dense(3)(x))


def scaled() -> Scaled:
    return Scaled(activation=nn.relu)


class TestLinen(ArtifactContract):
    ARTIFACT = "bentoml.frameworks.flax:FlaxModelArtifact"
    SETUP = "import jax.numpy"
    PROBE = "model['module'].apply(model['variables'], jax.numpy.ones((2, 4))).tolist()"
    FILES = {"my_model.msgpack", "my_model_class.json", "my_model.yml"}
    WRONG = (nn.Dense(3), {"module": nn.Dense(3)}, {"module": 3, "variables": {}}, None)
    WRONG_ERROR = InvalidArgument
    INFERRED_PIP = {"flax"}

    def model(self) -> Any:
        module = nn.Dense(3, use_bias=False)
        return {"module": module, "variables": module.init(jax.random.key(0), X)}


def test_a_module_with_functions_needs_a_maker(tmp_path: Path) -> None:
    module = scaled()
    packed = {"module": module, "variables": module.init(jax.random.key(0), X)}
    with pytest.raises(InvalidArgument, match=r"Field 'activation'.*module="):
        FlaxModelArtifact("m").pack(packed)
    FlaxModelArtifact("m", module=scaled).pack(packed).save(str(tmp_path))
    loaded = FlaxModelArtifact("m", module=scaled).load(str(tmp_path)).get()
    expected = module.apply(packed["variables"], X)
    assert loaded["module"].apply(loaded["variables"], X).tolist() == expected.tolist()
