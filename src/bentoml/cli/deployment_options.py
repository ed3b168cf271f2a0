"""What a deployment's commands read from the command line, and how they print deployments."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import yaml

from bentoml.exceptions import CLIException

from .age import human_span
from .options import Decorator, add_options, yatai_url_option
from .render import print_document, print_table

if TYPE_CHECKING:
    from bentoml.yatai.deployment_client import DeploymentClient

namespace_option: Decorator[Any] = click.option("-n", "--namespace", help="Namespace.  [default: dev]")

wanted_options: Decorator[Any] = add_options(
    click.argument("name", required=False),
    click.option(
        "-f",
        "--file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="A deployment in YAML.",
    ),
    click.option(
        "-b", "--bento", "--bento-service-bundle", "bento", metavar="NAME:VERSION", help="The bundle to run."
    ),
    click.option("--operator", help="What runs it.  [default: local]"),
    namespace_option,
    click.option("-l", "--labels", help="Labels, as key:value,key2:value2."),
    click.option(
        "--set",
        "values",
        multiple=True,
        metavar="KEY=VALUE",
        help="An option of the operator, such as workers=2.",
    ),
    click.option("--wait/--no-wait", default=True, help="Wait until it runs or fails.  [default: wait]"),
    yatai_url_option,
    click.option("-o", "--output", type=click.Choice(["json", "yaml"]), default="json", show_default=True),
)


def deployments(yatai_url: str | None) -> DeploymentClient:
    """The deployments that a command is about."""
    from bentoml.yatai.client import get_yatai_client

    return get_yatai_client(yatai_url).deployment


def wanted(options: dict[str, Any]) -> dict[str, Any]:
    """The deployment that file and options describe; options win over the file."""
    document = _document(options["file"])
    spec = dict(document.get("spec") or {})
    if options["bento"]:
        name, colon, version = options["bento"].partition(":")
        if not colon:
            name, at, version = options["bento"].partition("@")
            version = at + version
        if not name or not version:
            raise click.BadParameter(f"'{options['bento']}' is no NAME:VERSION.", param_hint="--bento")
        spec.update(bento_name=name, bento_version=version)
    if options["operator"] or "operator" not in spec:
        spec["operator"] = options["operator"] or "local"
    if options["values"]:
        key = "config" if "config" in spec else f"{spec['operator']}_operator_config"
        spec[key] = {**(spec.get(key) or {}), **_values(options["values"])}
    document["spec"] = spec
    for key, value in (("name", options["name"]), ("namespace", options["namespace"])):
        if value:
            document[key] = value
    if options["labels"]:
        document["labels"] = {**(document.get("labels") or {}), **_labels(options["labels"])}
    if not document.get("name"):
        raise click.UsageError("Name the deployment: as an argument, or in the file of --file.")
    return document


def print_deployment(deployment: Any, output: str) -> None:
    """One deployment in the form that 0.13 prints."""
    print_document(plain(deployment), output)


def print_deployments(found: list[Any], output: str) -> None:
    if output not in ("table", "wide"):
        print_document([plain(deployment) for deployment in found], output)
        return
    headers = ["NAME", "NAMESPACE", "PLATFORM", "BENTO_SERVICE", "STATE", "AGE"]
    rows = [_row(plain(deployment), output == "wide") for deployment in found]
    print_table([*headers, "LABELS"] if output == "wide" else headers, rows)


def plain(deployment: Any) -> dict[str, Any]:
    """A deployment as plain data with the keys of its YAML."""
    spec, custom = deployment.spec, deployment.spec.custom_operator_config
    return {
        "namespace": deployment.namespace,
        "name": deployment.name,
        "labels": dict(deployment.labels),
        "annotations": dict(deployment.annotations),
        "spec": {
            "operator": custom.name if custom else "",
            "bento_name": spec.bento_name,
            "bento_version": spec.bento_version,
            "config": dict(custom.config or {}) if custom else {},
        },
        "state": plain_state(deployment.state),
        "created_at": _time(deployment.created_at),
        "last_updated_at": _time(deployment.last_updated_at),
    }


def plain_state(state: Any) -> dict[str, Any]:
    from bentoml.rpc.deployments import state_name

    return {
        "state": state_name(state.state),
        "error_message": state.error_message,
        "info": json.loads(state.info_json or "{}"),
        "timestamp": _time(state.timestamp),
    }


def raise_if_failed(deployment: Any) -> None:
    """A deployment that does not run is a failed command."""
    state = plain_state(deployment.state)
    if state["state"] in ("ERROR", "FAILED", "CRASH_LOOP_BACK_OFF") or state["error_message"]:
        raise CLIException(
            f"{deployment.namespace}/{deployment.name} is {state['state']}: {state['error_message']} "
            f"Read its log with: bentoml deployment logs {deployment.name} -n {deployment.namespace}"
        )


def _row(deployment: dict[str, Any], wide: bool) -> list[str]:
    spec, created = deployment["spec"], deployment["created_at"]
    age = ""
    if created:
        age = human_span(datetime.now(timezone.utc) - datetime.fromisoformat(created.replace("Z", "+00:00")))
    row = [
        deployment["name"],
        deployment["namespace"],
        spec["operator"],
        f"{spec['bento_name']}:{spec['bento_version']}",
        deployment["state"]["state"],
        age,
    ]
    return [*row, "\n".join(f"{key}:{value}" for key, value in deployment["labels"].items())] if wide else row


def _document(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        document = yaml.safe_load(file.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as err:
        raise CLIException(f"{file} is no YAML: {err}") from err
    if not isinstance(document, dict):
        raise CLIException(f"{file} must hold a mapping with `name` and `spec`.")
    return document


def _values(pairs: tuple[str, ...]) -> dict[str, Any]:
    """`workers=2` and `environment.MODE=fast`; values are read as YAML."""
    found: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            raise click.BadParameter(f"'{pair}' is no KEY=VALUE.", param_hint="--set")
        outer, dot, inner = key.partition(".")
        if dot:
            found.setdefault(outer, {})[inner] = text
        else:
            found[key] = yaml.safe_load(text)
    return found


def _labels(text: str) -> dict[str, str]:
    pairs = [part.strip().partition(":") for part in text.split(",") if part.strip()]
    for key, colon, value in pairs:
        if not (key and colon and value):
            raise click.BadParameter(f"'{text}' must look like key:value,key2:value2.", param_hint="--labels")
    return {key.strip(): value.strip() for key, _, value in pairs}


def _time(moment: Any) -> str | None:
    return moment.isoformat() + "Z" if isinstance(moment, datetime) else moment
