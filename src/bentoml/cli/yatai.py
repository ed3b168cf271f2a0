"""`bentoml yatai …`: what a team does with its registry beside pushing and pulling."""

from __future__ import annotations

from pathlib import Path

import click

from .group import Entry, LazyGroup

_COMMANDS = {
    "alias": Entry("bentoml.cli.yatai_alias", "Point names such as `prod` to versions."),
    "compare": Entry("bentoml.cli.yatai_compare", "Show what differs between two bundles."),
    "containerize": Entry("bentoml.cli.yatai_containerize", "Build an image of the management server."),
    "events": Entry("bentoml.cli.yatai_events", "Show who changed what."),
    "label": Entry("bentoml.cli.yatai_label", "Set and remove labels of a bundle."),
    "note": Entry("bentoml.cli.yatai_note", "Write a note about a bundle."),
    "prune": Entry("bentoml.cli.yatai_prune", "Delete all but the newest bundles."),
    "retention": Entry("bentoml.cli.yatai_retention", "Rules about how many bundles of a name stay."),
    "restore": Entry("bentoml.cli.yatai_restore", "Bring back a deleted bundle."),
    "token": Entry("bentoml.cli.yatai_token", "Make, list and revoke access tokens."),
}


def command(_bundle: Path | None = None) -> click.Command:
    return LazyGroup(
        _COMMANDS,
        name="yatai",
        help="Manage a registry: that of --yatai-url or yatai.remote.url, else the one in this home.",
    )
