"""The `deployment` half of the client: 0.13's methods, with answers in the shape of its messages."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, NoReturn

from bentoml.exceptions import AlreadyExists, BentoMLException, InvalidArgument, NotFound
from bentoml.repository.selector import parse_selector
from bentoml.rpc.bundles import selector_message
from bentoml.rpc.deployments import ALL_NAMESPACES, CLOUD_NAMES, ORDERS, state_name

from .calls import Calls
from .deployment_spec import deployment_fields

WAIT_S = 600.0
POLL_S = 0.5
OPERATION_TIMEOUT_S = 3700.0
_PLATFORMS = {name.removeprefix("aws-"): number for number, name in CLOUD_NAMES.items()}
_Answer = Any  # the attributes of one of 0.13's messages
_Lines = list[str]  # below, `list` is the method of that name


def _unsupported(platform: str) -> Callable[..., NoReturn]:
    def method(self: DeploymentClient, *_args: Any, **_options: Any) -> NoReturn:
        """Not supported: raises `BentoMLException` that names what is."""
        from bentoml.deploy.registry import cloud_message  # noqa: PLC0415 - only to explain

        raise BentoMLException(cloud_message(platform))

    return method


class DeploymentClient:
    """Deployments of one server, or of this machine."""

    def __init__(self, calls: Callable[[], Calls]) -> None:
        self._open = calls
        self._opened: Calls | None = None

    def list(
        self,
        limit: int | None = None,
        offset: int | None = None,
        labels: str | None = None,
        namespace: str | None = None,
        is_all_namespaces: bool = False,
        operator: str | None = None,
        order_by: str | None = None,
        ascending_order: bool | None = None,
    ) -> _Answer:
        """`.deployments` that match, newest first. `operator` is one of 0.13's platforms."""
        if order_by is not None and order_by not in ORDERS:
            raise InvalidArgument(f"order_by is '{order_by}'; it must be one of {', '.join(ORDERS)}.")
        wanted = None
        if operator is not None:
            wanted = _PLATFORMS.get(operator.removeprefix("aws-").replace("_", "-"), 1)
        answer = self._call(
            "ListDeployments",
            namespace=ALL_NAMESPACES if is_all_namespaces else namespace,
            offset=offset,
            limit=limit,
            operator=wanted,
            order_by=ORDERS.index(order_by or "created_at"),
            ascending_order=ascending_order,
            label_selectors=selector_message(parse_selector(labels)),
        )
        if wanted == 1:
            found = answer["deployments"]
            answer["deployments"] = [one for one in found if _operator_of(one) == operator]
        return _view(answer)

    def get(self, namespace: str | None, name: str) -> _Answer:
        """`.deployment` as it was last seen. Raises `NotFound`."""
        return _view(self._call("GetDeployment", deployment_name=name, namespace=namespace))

    def describe(self, namespace: str | None, name: str) -> _Answer:
        """`.state` as it is now. Raises `NotFound`."""
        return _view(self._call("DescribeDeployment", deployment_name=name, namespace=namespace))

    def delete(self, deployment_name: str, namespace: str | None, force_delete: bool = False) -> _Answer:
        """End a deployment without losing a request. Raises `NotFound`."""
        fields = {"deployment_name": deployment_name, "namespace": namespace, "force_delete": force_delete}
        return _view(self._call("DeleteDeployment", **fields))

    def create(self, deployment_info: Mapping[str, Any] | str, wait: bool = True) -> _Answer:
        """Create what a dictionary or YAML describes. Raises `AlreadyExists` if it is there."""
        fields = deployment_fields(deployment_info)
        try:
            self.get(fields["namespace"], fields["name"])
        except NotFound:
            return self._apply(fields, wait)
        raise AlreadyExists(
            f'Deployment "{fields["name"]}" already exists; change it with apply, or delete it first.'
        )

    def apply(self, deployment_info: Mapping[str, Any] | str, wait: bool = True) -> _Answer:
        """Create or change what a dictionary or YAML describes; `wait` until it runs or fails."""
        return self._apply(deployment_fields(deployment_info), wait)

    def plan(self, deployment_info: Mapping[str, Any] | str) -> _Answer:
        """What `apply` would do: `.action` and `.changes`."""
        return _view(self._call("PlanDeployment", deployment=deployment_fields(deployment_info)))

    def restart(self, namespace: str | None, name: str) -> _Answer:
        """Start it anew without losing requests."""
        return _view(self._call("RestartDeployment", name=name, namespace=namespace))

    def logs(self, namespace: str | None, name: str, lines: int = 100) -> _Lines:
        """The last lines of its log, oldest first."""
        reference = {"name": name, "namespace": namespace}
        answer = self._call("GetDeploymentLogs", deployment=reference, lines=lines)
        return [str(line) for line in answer["lines"]]

    def metrics(self, namespace: str | None, name: str) -> dict[str, float]:
        """Counters of the running service; empty if it does not answer."""
        answer = self._call("GetDeploymentMetrics", name=name, namespace=namespace)
        return dict(answer["metrics"] or {})

    create_lambda_deployment = _unsupported("AWS Lambda")
    update_lambda_deployment = _unsupported("AWS Lambda")
    create_sagemaker_deployment = _unsupported("AWS SageMaker")
    update_sagemaker_deployment = _unsupported("AWS SageMaker")
    create_azure_functions_deployment = _unsupported("Azure Functions")
    update_azure_functions_deployment = _unsupported("Azure Functions")
    create_ec2_deployment = _unsupported("AWS EC2")
    update_ec2_deployment = _unsupported("AWS EC2")

    def list_lambda_deployments(self, **query: Any) -> _Answer:
        """Those that a 0.13 server left in the database."""
        return self.list(operator="lambda", **query)

    def list_sagemaker_deployments(self, **query: Any) -> _Answer:
        """Those that a 0.13 server left in the database."""
        return self.list(operator="sagemaker", **query)

    def list_azure_functions_deployments(self, **query: Any) -> _Answer:
        """Those that a 0.13 server left in the database."""
        return self.list(operator="azure-functions", **query)

    def list_ec2_deployments(self, **query: Any) -> _Answer:
        """Those that a 0.13 server left in the database."""
        return self.list(operator="ec2", **query)

    def _apply(self, fields: dict[str, Any], wait: bool) -> _Answer:
        answer = self._call("ApplyDeployment", deployment=fields)
        deployment = answer["deployment"]
        if wait:
            deployment["state"] = self._settled(deployment["namespace"], deployment["name"])
        return _view(answer)

    def _settled(self, namespace: str, name: str) -> dict[str, Any]:
        """The state once it is no longer PENDING and nothing of it is on its way."""
        end = time.monotonic() + WAIT_S
        while True:
            answer = self._call("DescribeDeployment", deployment_name=name, namespace=namespace)
            state: dict[str, Any] = answer["state"]
            named = state_name(state["state"])
            underway = '"drift"' in state["info_json"] and named == "RUNNING" and not state["error_message"]
            if (named != "PENDING" and not underway) or time.monotonic() > end:
                return state
            time.sleep(POLL_S)

    def _call(self, name: str, /, **fields: Any) -> dict[str, Any]:
        if self._opened is None:
            self._opened = self._open()
        return self._opened.call(name, timeout_s=OPERATION_TIMEOUT_S, **fields)


def _operator_of(deployment: dict[str, Any]) -> str:
    return str(deployment["spec"]["custom_operator_config"]["name"])


def _view(value: Any) -> Any:
    """Attributes for messages, as 0.13's scripts read them; maps stay dictionaries."""
    if isinstance(value, dict):
        maps = ("labels", "annotations", "config")
        return SimpleNamespace(**{key: item if key in maps else _view(item) for key, item in value.items()})
    return [_view(item) for item in value] if isinstance(value, list) else value
