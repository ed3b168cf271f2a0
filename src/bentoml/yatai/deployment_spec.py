"""Deployments as people write them (0.13's YAML, or a dictionary) → fields of the protocol's message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from bentoml.exceptions import InvalidArgument

Fields = dict[str, Any]
_KEYS = {"name", "namespace", "labels", "annotations", "spec"}
_SPEC_KEYS = {"operator", "bento_name", "bento_version", "config"}
# What 0.13's YAML calls the options of its operators, the irregular one included.
_CONFIG_KEYS = {
    "aws-lambda": "aws_lambda_operator_config",
    "aws-sagemaker": "sagemaker_operator_config",
    "azure-functions": "azure_function_operators_config",
    "custom": "custom_operator_config",
}


def deployment_fields(given: Mapping[str, Any] | str | bytes) -> Fields:
    """The message's fields of a deployment in YAML or as a dictionary. Raises `InvalidArgument`."""
    document = _parsed(given)
    unknown = sorted(map(str, document.keys() - _KEYS))
    if unknown:
        raise InvalidArgument(
            f"The deployment has no key '{unknown[0]}'; known are {', '.join(sorted(_KEYS))}."
        )
    if not document.get("name"):
        raise InvalidArgument("The deployment has no `name`.")
    spec = document.get("spec")
    if not isinstance(spec, Mapping):
        raise InvalidArgument("The deployment has no `spec` with operator, bento_name and bento_version.")
    return {
        "name": str(document["name"]),
        "namespace": str(document.get("namespace") or ""),
        "labels": _texts(document, "labels"),
        "annotations": _texts(document, "annotations"),
        "spec": _spec(spec),
    }


def new_spec(operator: str, bento_name: str, bento_version: str, config: Mapping[str, Any]) -> Fields:
    """The `DeploymentSpec` of these values."""
    return {
        "bento_name": bento_name,
        "bento_version": bento_version,
        "operator": 1,
        "custom_operator_config": {"name": operator, "config": dict(config)},
    }


def _parsed(given: Mapping[str, Any] | str | bytes) -> Mapping[str, Any]:
    if isinstance(given, Mapping):
        return given
    try:
        document = yaml.safe_load(given)
    except yaml.YAMLError as err:
        raise InvalidArgument(f"The deployment is no YAML: {err}") from err
    if not isinstance(document, Mapping):
        raise InvalidArgument("The deployment must be a YAML mapping with `name` and `spec`.")
    return document


def _spec(spec: Mapping[str, Any]) -> Fields:
    operator = str(spec.get("operator") or "")
    if not operator:
        raise InvalidArgument("The `spec` has no `operator`, such as local or docker.")
    config_key = _CONFIG_KEYS.get(operator, f"{operator}_operator_config")
    unknown = sorted(map(str, spec.keys() - _SPEC_KEYS - {config_key}))
    if unknown:
        known = ", ".join([*sorted(_SPEC_KEYS), config_key])
        raise InvalidArgument(f"The `spec` has no key '{unknown[0]}'; known are {known}.")
    config = spec.get("config", spec.get(config_key)) or {}
    if not isinstance(config, Mapping):
        raise InvalidArgument(f"`{config_key}` must be a mapping of options.")
    if operator == "custom":
        operator, config = str(config.get("name") or ""), config.get("config") or {}
    for key in ("bento_name", "bento_version"):
        if not spec.get(key):
            raise InvalidArgument(f"The `spec` has no `{key}`.")
        if not isinstance(spec[key], str):
            raise InvalidArgument(f"`{key}` was read as the number {spec[key]}; write it in quotes.")
    return new_spec(operator, str(spec["bento_name"]), str(spec["bento_version"]), config)


def _texts(document: Mapping[str, Any], key: str) -> dict[str, str]:
    value = document.get(key) or {}
    if not isinstance(value, Mapping):
        raise InvalidArgument(f"`{key}` must be a mapping of texts.")
    return {str(name): str(text) for name, text in value.items()}
