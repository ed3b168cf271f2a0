"""RPCs about deployments: messages of the protocol ⇄ records."""

from __future__ import annotations

import json
from typing import Any

from bentoml.exceptions import FailedPrecondition, InvalidArgument
from bentoml.rpc import convert
from bentoml.rpc.bundles import selector_of
from bentoml.yatai.access import DEPLOY, Caller
from bentoml.yatai.db.deployments import Deployment, DeploymentQuery
from bentoml.yatai.registry import Registry

Fields = dict[str, Any]
ALL_NAMESPACES = "__BENTOML_ALL_NAMESPACE"
DEFAULT_LIMIT = 200
_ORDERS = ("created_at", "name")
_STATES = "bentoml.DeploymentState.State"


class DeploymentCalls:
    """Handlers by RPC.

    Args:
        namespace: the one that is meant when a request names none.
    """

    def __init__(self, registry: Registry, namespace: str) -> None:
        self._deployments = registry.deployments
        self._namespace = namespace

    def apply_deployment(self, caller: Caller, request: Fields) -> Fields:
        caller.require(DEPLOY)
        deployment = request["deployment"]
        if deployment is None or deployment["spec"] is None:
            raise InvalidArgument("The request has no deployment.")
        raise FailedPrecondition("This server has no operator that could run deployments.")

    def delete_deployment(self, caller: Caller, request: Fields) -> Fields:
        self._deployments.remove(caller, request["namespace"] or self._namespace, request["deployment_name"])
        return {"status": {}}

    def get_deployment(self, _caller: Caller, request: Fields) -> Fields:
        return {"status": {}, "deployment": deployment_message(self._find(request))}

    def describe_deployment(self, _caller: Caller, request: Fields) -> Fields:
        return {"status": {}, "state": _state(self._find(request))}

    def list_deployments(self, _caller: Caller, request: Fields) -> Fields:
        namespace = request["namespace"] or self._namespace
        query = DeploymentQuery(
            namespace=None if namespace == ALL_NAMESPACES else namespace,
            labels=selector_of(request["label_selectors"]),
            order_by=_ORDERS[request["order_by"] % len(_ORDERS)],
            ascending=request["ascending_order"],
            offset=request["offset"],
            limit=request["limit"] or DEFAULT_LIMIT,
        )
        found = self._deployments.find_all(query)
        return {"status": {}, "deployments": [deployment_message(one) for one in found]}

    def _find(self, request: Fields) -> Deployment:
        return self._deployments.find(request["namespace"] or self._namespace, request["deployment_name"])


def deployment_message(deployment: Deployment) -> Fields:
    """The `Deployment` of a record. Operators of this line are CUSTOM for clients of 0.13."""
    spec = deployment.spec
    return {
        "namespace": deployment.namespace,
        "name": deployment.name,
        "spec": {
            "bento_name": spec.get("bento_name"),
            "bento_version": spec.get("bento_version"),
            "operator": 1,
            "custom_operator_config": {
                "name": str(spec.get("operator") or ""),
                "config": spec.get("config") or {},
            },
        },
        "state": _state(deployment),
        "annotations": deployment.annotations,
        "labels": deployment.labels,
        "created_at": deployment.created_at,
        "last_updated_at": deployment.last_updated_at,
    }


def _state(deployment: Deployment) -> Fields:
    state = deployment.state
    return {
        "state": convert.enum_numbers(_STATES).get(str(state.get("state")), 4),
        "error_message": state.get("error_message"),
        "info_json": json.dumps(state.get("info") or {}),
        "timestamp": state.get("timestamp"),
    }
