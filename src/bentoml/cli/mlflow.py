"""`bentoml mlflow …`: models of MLflow in, bundles out."""

from __future__ import annotations

from pathlib import Path

import click

from .group import Entry, LazyGroup

_COMMANDS = {
    "export": Entry("bentoml.cli.mlflow_export", "Write a bundle as an MLflow model."),
    "import": Entry("bentoml.cli.mlflow_import", "Save an MLflow model as a service."),
}


def command(_bundle: Path | None = None) -> click.Command:
    return LazyGroup(_COMMANDS, name="mlflow", help="Exchange models with MLflow.")
