"""The command of a pip-installed bundle: the serving commands, about that one bundle."""

from __future__ import annotations

from pathlib import Path

import click

from bentoml import __version__

from .group import Entry, LazyGroup

_COMMANDS = {
    "check-batching": Entry("bentoml.cli.check_batching", "Check that batches do not change answers."),
    "containerize": Entry("bentoml.cli.containerize", "Build a container image of the bundle."),
    "info": Entry("bentoml.cli.info", "Print the metadata of the bundle."),
    "inspect": Entry("bentoml.cli.inspect_bundle", "Show what the bundle contains, executing nothing."),
    "install-completion": Entry("bentoml.cli.install_completion", "Install shell command completion."),
    "open-api-spec": Entry("bentoml.cli.open_api_spec", "Print the OpenAPI document of the bundle."),
    "run": Entry("bentoml.cli.run", "Run an API on data from the command line."),
    "serve": Entry("bentoml.cli.serve", "Serve the bundle over HTTP."),
    "serve-gunicorn": Entry("bentoml.cli.serve_gunicorn", "Serve the bundle over HTTP (0.13's name)."),
    "verify": Entry("bentoml.cli.verify", "Check that the bundle answers as it did when it was saved."),
}


def create_bundle_cli(bundle_path: str | Path) -> click.Group:
    """A command group about the bundle in `bundle_path`; its commands have no BENTO argument."""
    group = LazyGroup(
        _COMMANDS, Path(bundle_path), name="bentoml-cli", help="Run and serve this saved service."
    )
    click.version_option(__version__, prog_name="bentoml")(group)
    return group
