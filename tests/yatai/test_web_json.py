"""The JSON of 0.13's web server survives the way there and back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bentoml.rpc import convert
from bentoml.rpc.web_json import struct_json, usual_json

pytest.importorskip("google.protobuf", reason="the extra `yatai` is not installed")

text = st.text(max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**50), 2**50) | st.floats(-1e9, 1e9) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(text, values, min_size=1, max_size=4))
def test_dictionaries(value: dict[str, Any]) -> None:
    assert usual_json(struct_json(value)) == value


def test_messages_with_times_and_dictionaries() -> None:
    moment = datetime(2026, 11, 29, 3, 4, 5, 678901)
    config = {"workers": 2, "environment": {"A": "1"}, "list": [1.5, None, True, []]}
    deployment = {
        "name": "iris",
        "created_at": moment,
        "spec": {"operator": "CUSTOM", "custom_operator_config": {"name": "local", "config": config}},
    }
    shown = convert.as_json("ApplyDeploymentRequest", {"deployment": deployment})
    assert shown["deployment"]["created_at"]["nanos"] == 678901000
    back = convert.from_json("ApplyDeploymentRequest", shown)["deployment"]
    assert back["created_at"] == moment
    assert back["spec"]["custom_operator_config"]["config"] == config
    plain = {"deployment": {"spec": {"custom_operator_config": {"config": config}}}}
    assert (
        convert.from_json("ApplyDeploymentRequest", plain)["deployment"]["spec"]["custom_operator_config"][
            "config"
        ]
        == config
    )
