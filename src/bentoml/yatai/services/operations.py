"""Deployments made real: each change goes through an operator and is kept as a record."""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from bentoml.deploy.base import PENDING, Counters, Data, Observed, Operator, Plan, Wanted
from bentoml.deploy.names import validate_name, validate_namespace
from bentoml.deploy.registry import Host, is_supported, open_operator
from bentoml.exceptions import BentoMLException, FailedPrecondition, InvalidArgument, NotFound
from bentoml.repository.locks import FileLock
from bentoml.repository.models import utc_now
from bentoml.tags import LATEST, validate_labels
from bentoml.yatai.access import DEPLOY, Caller
from bentoml.yatai.db.deployments import Deployment, DeploymentQuery

from .bundles import Bundles
from .deployments import Deployments

logger = logging.getLogger("bentoml.yatai")

ALL = DeploymentQuery(limit=2**31 - 1)
CHANGE_WITHIN_S = 3700.0  # draining may take an hour


class Operations:
    """Use cases that act.

    Args:
        host: where operators of this machine keep their files.
        namespace: the one that is meant when none is named.
    """

    def __init__(self, deployments: Deployments, bundles: Bundles, host: Host, namespace: str) -> None:
        self._deployments = deployments
        self._bundles = bundles
        self._host = host
        self.namespace = namespace

    def plan(self, caller: Caller, asked: Deployment) -> Plan:
        """What `apply` would do. Raises `InvalidArgument`, `NotFound`."""
        caller.require(DEPLOY)
        deployment = self._checked(asked)
        before = self._find_or_none(deployment)
        operator = self._operator(deployment)
        return operator.plan(self._wanted(deployment), before.operator_data if before else {})

    def apply(self, caller: Caller, asked: Deployment) -> Deployment:
        """Create or update a deployment; returns once its operator has begun.

        Raises:
            InvalidArgument: names, bundle or options are wrong; nothing has changed.
            FailedPrecondition: it exists on another platform.
        """
        caller.require(DEPLOY)
        deployment = self._checked(asked)
        with self._lock(deployment.resource):
            return self._apply(caller, deployment)

    def _apply(self, caller: Caller, deployment: Deployment) -> Deployment:
        before = self._find_or_none(deployment)
        if before is not None and before.spec.get("operator") != deployment.spec["operator"]:
            raise FailedPrecondition(
                f"{deployment.resource} runs with the operator '{before.spec.get('operator')}'. Delete it, "
                f"then create it with '{deployment.spec['operator']}'."
            )
        operator = self._operator(deployment)
        data = before.operator_data if before else {}
        wanted = self._wanted(deployment)
        operator.plan(wanted, data)
        kept = replace(deployment, operator_data=data, state=_state(Observed(PENDING)))
        self._deployments.save(caller, kept, "deployment.update" if before else "deployment.create")
        try:
            data = operator.apply(wanted, data)
        except (BentoMLException, OSError):
            self._take_back(caller, before, kept, operator, wanted)
            raise
        return self._look(kept, operator, wanted, data)

    def restart(self, caller: Caller, namespace: str, name: str) -> Deployment:
        """Start it anew without losing requests. Raises `NotFound`."""
        caller.require(DEPLOY)
        namespace = namespace or self.namespace
        with self._lock(f"{namespace}/{name}"):
            deployment = self._deployments.find(namespace, name)
            operator, wanted = self._operator(deployment), self._wanted(deployment)
            self._deployments.save(caller, deployment, "deployment.restart")
            data = operator.apply(wanted, deployment.operator_data, restart=True)
            return self._look(deployment, operator, wanted, data)

    def describe(self, namespace: str, name: str) -> Deployment:
        """The deployment as it is now; what was seen is stored. Raises `NotFound`."""
        deployment = self._deployments.find(namespace or self.namespace, name)
        try:
            operator = self._operator(deployment)
        except BentoMLException:
            return deployment  # of 0.13, or of a package that is not installed now
        return self._look(deployment, operator, self._wanted(deployment), deployment.operator_data)

    def logs(self, namespace: str, name: str, lines: int) -> Sequence[str]:
        """The last lines of its log, oldest first. Raises `NotFound`."""
        deployment = self._deployments.find(namespace or self.namespace, name)
        operator = self._operator(deployment)
        return operator.logs(self._wanted(deployment), deployment.operator_data, lines)

    def metrics(self, namespace: str, name: str) -> Counters | None:
        """Counters of the running service, or None if it does not answer. Raises `NotFound`."""
        deployment = self._deployments.find(namespace or self.namespace, name)
        operator = self._operator(deployment)
        return operator.metrics(self._wanted(deployment), deployment.operator_data)

    def delete(self, caller: Caller, namespace: str, name: str, *, force: bool = False) -> None:
        """End it without losing a request, then forget it.

        Args:
            force: forget it even if its operator cannot end it.

        Raises:
            NotFound: there is none.
        """
        caller.require(DEPLOY)
        namespace = namespace or self.namespace
        with self._lock(f"{namespace}/{name}"):
            self._delete(caller, self._deployments.find(namespace, name), force)

    def _delete(self, caller: Caller, deployment: Deployment, force: bool) -> None:
        try:
            operator = self._operator(deployment)
            operator.delete(self._wanted(deployment), deployment.operator_data)
        except (BentoMLException, OSError) as err:
            if not force:
                raise FailedPrecondition(
                    f"{deployment.resource} could not be ended: {err} "
                    "With --force its record is removed anyway."
                ) from err
            logger.warning(
                "Removing the record of %s, which could not be ended: %s", deployment.resource, err
            )
        self._deployments.remove(caller, deployment.namespace, deployment.name)

    def resume_all(self) -> None:
        """Find again what runs, and start what should run and does not; failures are noted."""
        for deployment in self._deployments.find_all(ALL):
            lock = self._lock(deployment.resource)
            if not lock.try_acquire():
                continue  # somebody changes it now
            try:
                self._resume(deployment.namespace, deployment.name)
            except (BentoMLException, OSError) as err:
                logger.warning("%s cannot be resumed: %s", deployment.resource, err)
            finally:
                lock.release()

    def _resume(self, namespace: str, name: str) -> None:
        """Read again under the lock: it may have been deleted since it was listed."""
        with contextlib.suppress(NotFound):
            deployment = self._deployments.find(namespace, name)
            if not is_supported(str(deployment.spec.get("operator") or "")):
                return  # of 0.13, or of a package that is not installed now
            operator, wanted = self._operator(deployment), self._wanted(deployment)
            data = operator.resume(wanted, deployment.operator_data)
            self._look(deployment, operator, wanted, data)

    def suspend_all(self) -> None:
        """End what runs on this machine, because the machine's server ends."""
        for deployment in self._deployments.find_all(ALL):
            if not is_supported(str(deployment.spec.get("operator") or "")):
                continue
            try:
                self._operator(deployment).suspend(self._wanted(deployment), deployment.operator_data)
            except (BentoMLException, OSError) as err:
                logger.warning("%s cannot be stopped: %s", deployment.resource, err)

    def _lock(self, resource: str) -> FileLock:
        """One change of a deployment at a time, between processes too."""
        directory = self._host.directory / ".locks"
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        return FileLock(directory / hashlib.sha256(resource.encode()).hexdigest()[:24], CHANGE_WITHIN_S)

    def _checked(self, asked: Deployment) -> Deployment:
        namespace = validate_namespace(asked.namespace or self.namespace)
        name, labels = validate_name(asked.name), validate_labels(asked.labels)
        spec = asked.spec
        if str(spec.get("bento_version", "")).lower() == LATEST:
            raise InvalidArgument(
                "bento_version cannot be 'latest', because it changes; "
                "name the version, or an alias as '@prod'."
            )
        operator = str(spec.get("operator") or "")
        open_operator(operator, self._host)
        record = self._bundles.find(str(spec.get("bento_name", "")), str(spec.get("bento_version", "")))
        checked = {
            "bento_name": record.name,
            "bento_version": record.version,
            "operator": operator,
            "config": _whole_numbers(dict(spec.get("config") or {})),
        }
        return replace(asked, namespace=namespace, name=name, labels=labels, spec=checked)

    def _find_or_none(self, deployment: Deployment) -> Deployment | None:
        try:
            return self._deployments.find(deployment.namespace, deployment.name)
        except NotFound:
            return None

    def _operator(self, deployment: Deployment) -> Operator:
        return open_operator(str(deployment.spec.get("operator") or ""), self._host)

    def _wanted(self, deployment: Deployment) -> Wanted:
        name, version = str(deployment.spec.get("bento_name")), str(deployment.spec.get("bento_version"))
        return Wanted(
            namespace=deployment.namespace,
            name=deployment.name,
            bento_name=name,
            bento_version=version,
            config=deployment.spec.get("config") or {},
            files=lambda: self._bundles.directory(self._bundles.find(name, version)),
        )

    def _look(self, deployment: Deployment, operator: Operator, wanted: Wanted, data: Data) -> Deployment:
        state = _state(operator.describe(wanted, data))
        if _differs(state, deployment.state) or data != deployment.operator_data:
            self._deployments.set_state(deployment.namespace, deployment.name, state, data)
        return self._deployments.find(deployment.namespace, deployment.name)

    def _take_back(
        self, caller: Caller, before: Deployment | None, kept: Deployment, operator: Operator, wanted: Wanted
    ) -> None:
        """A change that could not begin leaves the record of before, or none."""
        if before is not None:
            self._deployments.save(caller, before, "deployment.revert")
            return
        operator.delete(wanted, {})
        self._deployments.remove(caller, kept.namespace, kept.name)


def counters_as_dict(counters: Counters | None) -> dict[str, Any]:
    """For a client: plain numbers, those that are known."""
    found = asdict(counters) if counters is not None else {}
    return {key: value for key, value in found.items() if key != "buckets" and value is not None}


def _state(observed: Observed) -> dict[str, Any]:
    info = dict(observed.info)
    if observed.drift:
        info["drift"] = list(observed.drift)
    return {
        "state": observed.state,
        "error_message": observed.error_message,
        "info": info,
        "timestamp": utc_now().isoformat() + "Z",
    }


def _differs(new: dict[str, Any], old: dict[str, Any]) -> bool:
    return any(new.get(key) != old.get(key) for key in ("state", "error_message", "info"))


def _whole_numbers(value: Any) -> Any:
    """Numbers that came as protobuf's doubles, as they were written."""
    if isinstance(value, dict):
        return {key: _whole_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole_numbers(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
