"""The form that creates a deployment or changes one: what would happen is shown before it does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml
from starlette.requests import Request
from starlette.routing import Route

from bentoml.deploy.registry import OPERATORS
from bentoml.exceptions import BentoMLException, InvalidArgument, NotFound
from bentoml.tags import split_reference
from bentoml.yatai.access import DEPLOY, Caller
from bentoml.yatai.db.bundles import BundleQuery
from bentoml.yatai.db.deployments import Deployment

from .routes_deployments import path_of
from .session import flash
from .views import Views

OFFERED = 50
KEYS = ("namespace", "name", "bento", "operator", "config", "labels")
Fields = dict[str, str]


def deploy_routes(views: Views) -> list[Route]:
    """`/deploy`, for a new deployment and, with `namespace` and `name`, for one there is."""
    registry = views.state.registry
    operations = registry.operations

    def there(namespace: str, name: str) -> Deployment | None:
        try:
            return registry.deployments.find(namespace, name) if name else None
        except NotFound:
            return None

    def page(request: Request, caller: Caller) -> dict[str, Any]:
        query = request.query_params
        namespace = query.get("namespace", "").strip() or operations.namespace
        before = there(namespace, query.get("name", "").strip())
        fields = {**_fields_of(before, namespace), **{key: query[key] for key in KEYS if key in query}}
        data: dict[str, Any] = {
            "fields": fields,
            "exists": before is not None,
            "now": f"{before.bento_tag}" if before else None,
            "operators": list(OPERATORS),
            "offered": offered(before),
            "plan": None,
            "problem": "",
        }
        if query.get("preview"):
            try:
                plan = operations.plan(caller, _asked(fields, before))
                data["plan"] = {"action": plan.action, "changes": list(plan.changes)}
            except BentoMLException as err:
                if err.http_status >= 500:
                    raise
                data["problem"] = str(err)
        return data

    def offered(before: Deployment | None) -> list[str]:
        """What may be deployed, for a list to choose from: aliases, then the newest versions."""
        name = str(before.spec.get("bento_name")) if before else None
        aliases = [f"{alias.name}@{alias.alias}" for alias in registry.aliases.find_all(name)]
        newest = registry.bundles.search(BundleQuery(name=name, limit=OFFERED)).records
        return [*aliases[:OFFERED], *(record.tag for record in newest)]

    def apply(request: Request, caller: Caller, fields: Fields) -> str:
        namespace = fields.get("namespace", "").strip() or operations.namespace
        before = there(namespace, fields.get("name", "").strip())
        made = operations.apply(caller, _asked({**dict.fromkeys(KEYS, ""), **fields}, before))
        verb = "is being changed" if before else "is starting"
        flash(request, f"{made.name} {verb}: {made.bento_tag}.")
        return path_of(made.namespace, made.name)

    return [*views.page("/deploy", "deploy.html", page, DEPLOY), views.form("/deploy", apply, DEPLOY)]


def _fields_of(before: Deployment | None, namespace: str) -> Fields:
    """The form as it is before anybody wrote into it."""
    if before is None:
        return {**dict.fromkeys(KEYS, ""), "namespace": namespace, "operator": "local"}
    config = before.spec.get("config") or {}
    return {
        "namespace": before.namespace,
        "name": before.name,
        "bento": before.bento_tag,
        "operator": str(before.spec.get("operator") or ""),
        "config": yaml.safe_dump(config, sort_keys=False, allow_unicode=True) if config else "",
        "labels": ", ".join(f"{key}={value}" for key, value in sorted(before.labels.items())),
    }


def _asked(fields: Mapping[str, str], before: Deployment | None) -> Deployment:
    bento = fields["bento"].strip()
    if not bento:
        raise InvalidArgument("Choose what to run, as NAME:VERSION or NAME@ALIAS.")
    name, version = split_reference(bento)
    return Deployment(
        namespace=fields["namespace"].strip(),
        name=fields["name"].strip(),
        spec={
            "bento_name": name,
            "bento_version": version,
            "operator": fields["operator"].strip() or "local",
            "config": _config(fields["config"]),
        },
        labels=_labels(fields["labels"]),
        annotations=dict(before.annotations) if before else {},
    )


def _config(text: str) -> dict[str, Any]:
    """Options in YAML."""
    try:
        found = yaml.safe_load(text) if text.strip() else {}
    except yaml.YAMLError as err:
        raise InvalidArgument(f"The options are no YAML: {err}") from err
    if not isinstance(found, dict):
        raise InvalidArgument("Write one option a line, as in `workers: 2`.")
    return found


def _labels(text: str) -> dict[str, str]:
    found = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        key, equals, value = part.partition("=")
        if not equals:
            raise InvalidArgument(f"'{part[:64]}' is no label; write them as team=flowers, stage=prod.")
        found[key.strip()] = value.strip()
    return found
