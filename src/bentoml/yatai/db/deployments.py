"""Deployments as they were asked for, with the last state that was seen of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, delete, insert, select, update

from bentoml.exceptions import InvalidArgument
from bentoml.repository.models import deployments, labels, utc_now
from bentoml.repository.selector import Selector

ORDERS = ("created_at", "name")
_DEPLOYMENT = "deployment"


@dataclass(frozen=True, slots=True)
class Deployment:
    """A service that should run somewhere.

    Attributes:
        spec: `{"bento_name", "bento_version", "operator", "config"}`; `operator` is the name users
            write, such as `local`, and `config` is its own.
        state: `{"state": "RUNNING", "error_message": …, "info": {…}, "timestamp": …}` as last seen.
        operator_data: what its operator needs to find the running thing again; not shown to users.
    """

    namespace: str
    name: str
    spec: dict[str, Any]
    state: dict[str, Any] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    operator_data: dict[str, Any] = field(default_factory=dict)
    created_at: datetime | None = None
    last_updated_at: datetime | None = None

    @property
    def bento_tag(self) -> str:
        return f"{self.spec.get('bento_name')}:{self.spec.get('bento_version')}"

    @property
    def resource(self) -> str:
        """How the audit log calls it."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class DeploymentQuery:
    """Which deployments; a namespace of None, and no operators, mean all."""

    namespace: str | None = None
    operators: tuple[str, ...] = ()
    labels: Selector = field(default_factory=Selector)
    order_by: str = "created_at"
    ascending: bool = False
    offset: int = 0
    limit: int = 200

    def __post_init__(self) -> None:
        if self.order_by not in ORDERS:
            raise InvalidArgument(f"order_by is '{self.order_by}'; it must be one of {', '.join(ORDERS)}.")


def find(connection: Connection, namespace: str, name: str) -> Deployment | None:
    query = select(deployments).where(deployments.c.namespace == namespace, deployments.c.name == name)
    return next(iter(_read(connection, query)), None)


def find_all(connection: Connection, query: DeploymentQuery) -> list[Deployment]:
    """Deployments on a page; label query and operator are applied before paging."""
    column = deployments.c.name if query.order_by == "name" else deployments.c.id
    statement = select(deployments).order_by(column.asc() if query.ascending else column.desc())
    if query.namespace is not None:
        statement = statement.where(deployments.c.namespace == query.namespace)
    found = [
        deployment
        for deployment in _read(connection, statement)
        if query.labels.matches(deployment.labels)
        and (not query.operators or deployment.spec.get("operator") in query.operators)
    ]
    return found[query.offset : query.offset + query.limit]


def save(connection: Connection, deployment: Deployment) -> None:
    """Insert or replace one deployment, its labels included."""
    here = (deployments.c.namespace == deployment.namespace, deployments.c.name == deployment.name)
    values: dict[str, Any] = {
        "spec": deployment.spec,
        "state": deployment.state,
        "annotations": deployment.annotations,
        "operator_data": deployment.operator_data,
        "last_updated_at": utc_now(),
    }
    row_id = connection.scalar(select(deployments.c.id).where(*here))
    if row_id is None:
        values.update(name=deployment.name, namespace=deployment.namespace, created_at=utc_now())
        made = connection.execute(insert(deployments).values(values)).inserted_primary_key
        assert made is not None
        row_id = made[0]
    else:
        connection.execute(update(deployments).where(*here).values(values))
    _replace_labels(connection, row_id, deployment.labels)


def set_state(
    connection: Connection,
    namespace: str,
    name: str,
    state: Mapping[str, Any],
    operator_data: Mapping[str, Any] | None = None,
) -> None:
    """Note what was seen of a deployment; its spec stays."""
    values: dict[str, Any] = {"state": dict(state)}
    if operator_data is not None:
        values["operator_data"] = dict(operator_data)
    here = (deployments.c.namespace == namespace, deployments.c.name == name)
    connection.execute(update(deployments).where(*here).values(values))


def remove(connection: Connection, namespace: str, name: str) -> bool:
    here = (deployments.c.namespace == namespace, deployments.c.name == name)
    row_id = connection.scalar(select(deployments.c.id).where(*here))
    if row_id is None:
        return False
    _replace_labels(connection, row_id, {})
    connection.execute(delete(deployments).where(*here))
    return True


def _read(connection: Connection, query: Select[Any]) -> list[Deployment]:
    rows = connection.execute(query).all()
    by_id: dict[int, dict[str, str]] = {}
    wanted = select(labels).where(
        labels.c.resource_type == _DEPLOYMENT, labels.c.resource_id.in_([row.id for row in rows])
    )
    for label in connection.execute(wanted):
        by_id.setdefault(label.resource_id, {})[label.key] = label.value
    return [
        Deployment(
            namespace=row.namespace,
            name=row.name,
            spec=dict(row.spec),
            state=dict(row.state),
            labels=by_id.get(row.id, {}),
            annotations=dict(row.annotations),
            operator_data=dict(row.operator_data or {}),
            created_at=row.created_at,
            last_updated_at=row.last_updated_at,
        )
        for row in rows
    ]


def _replace_labels(connection: Connection, row_id: int, wanted: Mapping[str, str]) -> None:
    connection.execute(
        delete(labels).where(labels.c.resource_type == _DEPLOYMENT, labels.c.resource_id == row_id)
    )
    rows = [
        {"resource_type": _DEPLOYMENT, "resource_id": row_id, "key": key, "value": value}
        for key, value in wanted.items()
    ]
    if rows:
        connection.execute(insert(labels), rows)
