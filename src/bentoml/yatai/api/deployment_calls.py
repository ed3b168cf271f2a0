"""RPCs about deployments: messages of the protocol ⇄ records."""

from __future__ import annotations

from typing import Any

from bentoml.exceptions import InvalidArgument
from bentoml.rpc.bundles import selector_of
from bentoml.rpc.deployments import (
    ALL_NAMESPACES,
    OPERATORS,
    ORDERS,
    deployment_message,
    spec_of,
    state_message,
)
from bentoml.yatai.access import Caller
from bentoml.yatai.db.deployments import Deployment, DeploymentQuery
from bentoml.yatai.registry import Registry
from bentoml.yatai.services.operations import counters_as_dict

Fields = dict[str, Any]
DEFAULT_LIMIT = 200
DEFAULT_LINES = 100
MAX_LINES = 5000


class DeploymentCalls:
    """Handlers by RPC."""

    def __init__(self, registry: Registry) -> None:
        self._deployments = registry.deployments
        self._operations = registry.operations
        self._namespace = registry.operations.namespace

    def apply_deployment(self, caller: Caller, request: Fields) -> Fields:
        applied = self._operations.apply(caller, _asked(request))
        return {"status": {}, "deployment": deployment_message(applied)}

    def plan_deployment(self, caller: Caller, request: Fields) -> Fields:
        plan = self._operations.plan(caller, _asked(request))
        return {"action": plan.action, "changes": plan.changes}

    def restart_deployment(self, caller: Caller, request: Fields) -> Fields:
        restarted = self._operations.restart(caller, request["namespace"], request["name"])
        return {"deployment": deployment_message(restarted)}

    def delete_deployment(self, caller: Caller, request: Fields) -> Fields:
        name, namespace = request["deployment_name"], request["namespace"]
        self._operations.delete(caller, namespace, name, force=request["force_delete"])
        return {"status": {}}

    def get_deployment(self, _caller: Caller, request: Fields) -> Fields:
        namespace = request["namespace"] or self._namespace
        found = self._deployments.find(namespace, request["deployment_name"])
        return {"status": {}, "deployment": deployment_message(found)}

    def describe_deployment(self, _caller: Caller, request: Fields) -> Fields:
        seen = self._operations.describe(request["namespace"], request["deployment_name"])
        return {"status": {}, "state": state_message(seen.state)}

    def list_deployments(self, _caller: Caller, request: Fields) -> Fields:
        namespace = request["namespace"] or self._namespace
        query = DeploymentQuery(
            namespace=None if namespace == ALL_NAMESPACES else namespace,
            operators=OPERATORS.get(request["operator"], ()),
            labels=selector_of(request["label_selectors"]),
            order_by=ORDERS[request["order_by"] % len(ORDERS)],
            ascending=request["ascending_order"],
            offset=request["offset"],
            limit=request["limit"] or DEFAULT_LIMIT,
        )
        found = self._deployments.find_all(query)
        return {"status": {}, "deployments": [deployment_message(one) for one in found]}

    def get_deployment_logs(self, _caller: Caller, request: Fields) -> Fields:
        namespace, name = _reference(request["deployment"])
        lines = min(request["lines"] if request["lines"] > 0 else DEFAULT_LINES, MAX_LINES)
        return {"lines": self._operations.logs(namespace, name, lines)}

    def get_deployment_metrics(self, _caller: Caller, request: Fields) -> Fields:
        counters = self._operations.metrics(request["namespace"], request["name"])
        return {"metrics": counters_as_dict(counters)}


def _asked(request: Fields) -> Deployment:
    message = request["deployment"]
    if message is None or message["spec"] is None:
        raise InvalidArgument("The request has no deployment.")
    return Deployment(
        namespace=message["namespace"],
        name=message["name"],
        spec=spec_of(message["spec"]),
        labels=message["labels"],
        annotations=message["annotations"],
    )


def _reference(message: Fields | None) -> tuple[str, str]:
    if message is None:
        raise InvalidArgument("The request names no deployment.")
    return message["namespace"], message["name"]
