"""Deployments as records: what is wanted, and what was last seen. Operators make them real."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from bentoml.exceptions import NotFound
from bentoml.repository.database import Database
from bentoml.yatai.access import DEPLOY, Caller
from bentoml.yatai.db import deployments as deployment_db
from bentoml.yatai.db import events
from bentoml.yatai.db.deployments import Deployment, DeploymentQuery

DEPLOYMENT = "deployment"


class Deployments:
    """The table of deployments, with the audit log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, namespace: str, name: str) -> Deployment:
        """Raises `NotFound`."""
        found = self._database.read(lambda connection: deployment_db.find(connection, namespace, name))
        if found is None:
            raise NotFound(f'Deployment "{name}" in namespace "{namespace}" not found')
        return found

    def find_all(self, query: DeploymentQuery) -> list[Deployment]:
        return self._database.read(lambda connection: deployment_db.find_all(connection, query))

    def save(self, caller: Caller, deployment: Deployment, action: str = "deployment.apply") -> Deployment:
        """Insert or replace a deployment."""
        caller.require(DEPLOY)

        def work(connection: Connection) -> None:
            deployment_db.save(connection, deployment)
            details = {"bento": deployment.bento_tag, "operator": deployment.spec.get("operator")}
            events.record(connection, caller, action, DEPLOYMENT, deployment.resource, details)

        self._database.write(work)
        return self.find(deployment.namespace, deployment.name)

    def set_state(
        self,
        namespace: str,
        name: str,
        state: Mapping[str, Any],
        operator_data: Mapping[str, Any] | None = None,
    ) -> None:
        """Note what was seen of a deployment; nobody's change, so no entry of the audit log."""
        self._database.write(
            lambda connection: deployment_db.set_state(connection, namespace, name, state, operator_data)
        )

    def remove(self, caller: Caller, namespace: str, name: str) -> None:
        """Raises `NotFound`."""
        caller.require(DEPLOY)

        def work(connection: Connection) -> None:
            if not deployment_db.remove(connection, namespace, name):
                raise NotFound(f'Deployment "{name}" in namespace "{namespace}" not found')
            events.record(connection, caller, "deployment.delete", DEPLOYMENT, f"{namespace}/{name}")

        self._database.write(work)
