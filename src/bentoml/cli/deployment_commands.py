"""The commands of `bentoml deployment`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .command import Command
from .deployment_options import (
    deployments,
    namespace_option,
    plain_state,
    print_deployment,
    print_deployments,
    raise_if_failed,
    wanted,
    wanted_options,
)
from .options import labels_option, output_option, yatai_url_option
from .render import print_document


def create(_bundle: Path | None = None) -> click.Command:
    return _change("create", "Create the deployment NAME, or the one in a file.", "created")


def apply(_bundle: Path | None = None) -> click.Command:
    return _change("apply", "Create or change the deployment NAME, or the one in a file.", "applied")


def _change(action: str, help_text: str, done: str) -> click.Command:
    @click.command(action, cls=Command, failed_name=f"deployment {action}", prints_data=True, help=help_text)
    @wanted_options
    @click.option("--dry-run", is_flag=True, help="Only say what would change.")
    def change(dry_run: bool, **options: Any) -> None:
        client, document = deployments(options["yatai_url"]), wanted(options)
        if dry_run:
            plan = client.plan(document)
            print_document({"action": plan.action, "changes": plan.changes}, options["output"])
            return
        answer = getattr(client, action)(document, wait=options["wait"])
        if options["wait"]:
            raise_if_failed(answer.deployment)
        click.secho(f"Successfully {done} deployment {answer.deployment.name}", fg="green", err=True)
        print_deployment(answer.deployment, options["output"])

    return change


def get(_bundle: Path | None = None) -> click.Command:
    @click.command("get", cls=Command, failed_name="deployment get", prints_data=True)
    @click.argument("name")
    @namespace_option
    @yatai_url_option
    @output_option("json", "json", "yaml")
    def show(name: str, namespace: str | None, yatai_url: str | None, output: str) -> None:
        """Show the deployment NAME as it was asked for and last seen."""
        print_deployment(deployments(yatai_url).get(namespace, name).deployment, output)

    return show


def describe(_bundle: Path | None = None) -> click.Command:
    @click.command("describe", cls=Command, failed_name="deployment describe", prints_data=True)
    @click.argument("name")
    @namespace_option
    @yatai_url_option
    @output_option("json", "json", "yaml")
    def show(name: str, namespace: str | None, yatai_url: str | None, output: str) -> None:
        """Look at the deployment NAME now: state, endpoints, restarts, and drift from what is wanted."""
        print_document(plain_state(deployments(yatai_url).describe(namespace, name).state), output)

    return show


def delete(_bundle: Path | None = None) -> click.Command:
    @click.command("delete", cls=Command, failed_name="deployment delete")
    @click.argument("name")
    @namespace_option
    @click.option("--force", is_flag=True, help="Forget it even if its service cannot be ended.")
    @yatai_url_option
    def end(name: str, namespace: str | None, force: bool, yatai_url: str | None) -> None:
        """End the deployment NAME: running requests are answered first."""
        deployments(yatai_url).delete(name, namespace, force)
        click.echo(f"Successfully deleted deployment {name}")

    return end


def restart(_bundle: Path | None = None) -> click.Command:
    @click.command("restart", cls=Command, failed_name="deployment restart")
    @click.argument("name")
    @namespace_option
    @yatai_url_option
    def begin(name: str, namespace: str | None, yatai_url: str | None) -> None:
        """Start the service of NAME anew; the old process answers until the new one is ready."""
        deployments(yatai_url).restart(namespace, name)
        click.echo(f"Restarting deployment {name}")

    return begin


def logs(_bundle: Path | None = None) -> click.Command:
    @click.command("logs", cls=Command, failed_name="deployment logs", prints_data=True)
    @click.argument("name")
    @namespace_option
    @click.option("--lines", type=click.IntRange(1, 5000), default=100, show_default=True)
    @yatai_url_option
    def show(name: str, namespace: str | None, lines: int, yatai_url: str | None) -> None:
        """Print the last lines that the service of NAME wrote, oldest first."""
        for line in deployments(yatai_url).logs(namespace, name, lines):
            click.echo(line)

    return show


def metrics(_bundle: Path | None = None) -> click.Command:
    @click.command("metrics", cls=Command, failed_name="deployment metrics", prints_data=True)
    @click.argument("name")
    @namespace_option
    @yatai_url_option
    @output_option("json", "json", "yaml")
    def show(name: str, namespace: str | None, yatai_url: str | None, output: str) -> None:
        """Print the counters of the service of NAME since its process started."""
        print_document(deployments(yatai_url).metrics(namespace, name), output)

    return show


def list_all(_bundle: Path | None = None) -> click.Command:
    @click.command("list", cls=Command, failed_name="deployment list", prints_data=True)
    @click.option("-n", "--namespace", help="Namespace.  [default: all]")
    @click.option("-p", "--platform", help="Only those of this operator.")
    @click.option("--limit", type=click.IntRange(min=0), help="How many are shown.  [default: 200]")
    @labels_option
    @click.option(
        "--order-by", type=click.Choice(["created_at", "name"]), default="created_at", show_default=True
    )
    @click.option("--asc/--desc", "ascending", default=False, help="Order.  [default: desc]")
    @yatai_url_option
    @output_option("table", "json", "yaml", "table", "wide")
    def show(ascending: bool, yatai_url: str | None, output: str, **query: Any) -> None:
        """List deployments, newest first."""
        found = deployments(yatai_url).list(
            limit=query["limit"],
            labels=query["labels"],
            namespace=query["namespace"],
            is_all_namespaces=query["namespace"] is None,
            operator=query["platform"],
            order_by=query["order_by"],
            ascending_order=ascending,
        )
        print_deployments(found.deployments, output)

    return show
