"""`bentoml delete`: remove saved bundles, after asking."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from bentoml.exceptions import InvalidArgument
from bentoml.tags import Tag, validate_service_name

from .command import Command
from .options import labels_option, yatai_url_option

logger = logging.getLogger("bentoml.cli")


def command(_bundle: Path | None = None) -> click.Command:
    return delete


def _parse_targets(_ctx: click.Context, _param: click.Parameter, value: str | None) -> list[str]:
    targets = [target.strip() for target in value.split(",")] if value is not None else []
    for target in targets:
        try:
            Tag.parse(target) if ":" in target else validate_service_name(target)
        except InvalidArgument as err:
            raise click.BadParameter(
                f"{err}. Give names or name:version tags separated by commas, for example "
                "my_service:v1,my_service:v2,classifier"
            ) from err
    return targets


@click.command(cls=Command)
@click.argument("targets", required=False, callback=_parse_targets)
@click.option("--all", "everything", is_flag=True, help="Delete all saved bundles.")
@labels_option
@yatai_url_option
@click.option("-y", "--yes", "--assume-yes", "yes", is_flag=True, help="Do not ask.")
def delete(
    targets: list[str], everything: bool, labels: str | None, yatai_url: str | None, yes: bool
) -> None:
    """Delete saved bundles.

    TARGETS are names (all versions) or name:version tags, separated by commas:
    `bentoml delete IrisClassifier`, `bentoml delete IrisClassifier:v1,Other:v2`,
    `bentoml delete --labels "env=dev"`, `bentoml delete --all`.
    """
    from bentoml.yatai.client import get_yatai_client

    if not targets and labels is None and not everything:
        raise click.UsageError(
            "Name what to delete: TARGETS, --labels QUERY, or --all for every saved bundle."
        )
    repository = get_yatai_client(yatai_url).repository
    confirm = not yes
    failed = 0
    if everything or not targets:
        failed += repository.delete_matching(labels=None if everything else labels, require_confirm=confirm)
    for target in () if everything else targets:
        if ":" in target:
            failed += repository.delete_tag(target, require_confirm=confirm)
        else:
            failed += repository.delete_matching(target, labels=labels, require_confirm=confirm)
    if failed:
        raise click.exceptions.Exit(1)
