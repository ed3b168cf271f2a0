"""Deployments as the protocol's `Deployment` message, and what people write as one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

from . import convert

Fields = dict[str, Any]
ALL_NAMESPACES = "__BENTOML_ALL_NAMESPACE"
ORDERS = ("created_at", "name")
CUSTOM = 1
# 0.13's enumeration; what this line runs is CUSTOM there, with the operator's name in its config.
CLOUD_NAMES = {2: "aws-sagemaker", 3: "aws-lambda", 4: "azure-functions", 5: "aws-ec2"}
OPERATORS = {number: (name, name.removeprefix("aws-")) for number, name in CLOUD_NAMES.items()}
_CONFIGS = {
    2: "sagemaker_operator_config",
    3: "aws_lambda_operator_config",
    4: "azure_functions_operator_config",
    5: "aws_ec2_operator_config",
}
_STATES = "bentoml.DeploymentState.State"
_UNKNOWN = 4


class DeploymentLike(Protocol):
    """The fields of a record that the message has."""

    @property
    def namespace(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def spec(self) -> dict[str, Any]: ...
    @property
    def state(self) -> dict[str, Any]: ...
    @property
    def labels(self) -> dict[str, str]: ...
    @property
    def annotations(self) -> dict[str, str]: ...
    @property
    def created_at(self) -> Any: ...
    @property
    def last_updated_at(self) -> Any: ...


def deployment_message(deployment: DeploymentLike) -> Fields:
    """The `Deployment` of a record."""
    return {
        "namespace": deployment.namespace,
        "name": deployment.name,
        "spec": spec_message(deployment.spec),
        "state": state_message(deployment.state),
        "annotations": deployment.annotations,
        "labels": deployment.labels,
        "created_at": deployment.created_at,
        "last_updated_at": deployment.last_updated_at,
    }


def spec_message(spec: Mapping[str, Any]) -> Fields:
    """The `DeploymentSpec` of `{"bento_name", "bento_version", "operator", "config"}`."""
    return {
        "bento_name": spec.get("bento_name"),
        "bento_version": spec.get("bento_version"),
        "operator": CUSTOM,
        "custom_operator_config": {
            "name": str(spec.get("operator") or ""),
            "config": dict(spec.get("config") or {}),
        },
    }


def spec_of(message: Mapping[str, Any]) -> Fields:
    """The record's spec of a `DeploymentSpec`."""
    number = message["operator"]
    spec = {"bento_name": message["bento_name"], "bento_version": message["bento_version"]}
    if number in CLOUD_NAMES:
        return {**spec, "operator": CLOUD_NAMES[number], "config": message[_CONFIGS[number]] or {}}
    custom = message["custom_operator_config"] or {"name": "", "config": None}
    return {**spec, "operator": custom["name"], "config": custom["config"] or {}}


def state_message(state: Mapping[str, Any]) -> Fields:
    """The `DeploymentState` of a record's state."""
    return {
        "state": convert.enum_numbers(_STATES).get(str(state.get("state")), _UNKNOWN),
        "error_message": state.get("error_message"),
        "info_json": json.dumps(state.get("info") or {}),
        "timestamp": state.get("timestamp"),
    }


def state_name(number: int) -> str:
    """The name of a state's number."""
    return convert.enum_names(_STATES).get(number, "UNKNOWN")
