"""The `bentoml` command: a table of commands, each imported when it is used."""

from __future__ import annotations

import click

from bentoml import __version__

from .group import Entry, LazyGroup

_COMMANDS = {
    "check-batching": Entry("bentoml.cli.check_batching", "Check that batches do not change answers."),
    "containerize": Entry("bentoml.cli.containerize", "Build a container image of a bundle."),
    "azure-functions": Entry("bentoml.cli.cloud:azure_functions", "Not supported; says what is."),
    "delete": Entry("bentoml.cli.delete", "Delete saved bundles."),
    "deployment": Entry("bentoml.cli.deployment", "Run saved bundles and look after them."),
    "ec2": Entry("bentoml.cli.cloud:ec2", "Not supported; says what is."),
    "env": Entry("bentoml.cli.env", "Make a virtual environment for a bundle."),
    "export": Entry("bentoml.cli.export", "Pack a bundle into one file, with its wheels."),
    "get": Entry("bentoml.cli.get", "Show a saved bundle, or all bundles of a name."),
    "import": Entry("bentoml.cli.import_bundle", "Add an exported bundle to the repository."),
    "info": Entry("bentoml.cli.info", "Print the metadata of a bundle."),
    "inspect": Entry("bentoml.cli.inspect_bundle", "Show what a bundle contains, executing nothing."),
    "install-completion": Entry("bentoml.cli.install_completion", "Install shell command completion."),
    "keygen": Entry("bentoml.cli.keygen", "Make a pair of keys to sign bundles with."),
    "lambda": Entry("bentoml.cli.cloud:aws_lambda", "Not supported; says what is."),
    "list": Entry("bentoml.cli.list", "List saved bundles."),
    "lock": Entry("bentoml.cli.lock", "Pin a bundle's packages with digests."),
    "mlflow": Entry("bentoml.cli.mlflow", "Exchange models with MLflow."),
    "open-api-spec": Entry("bentoml.cli.open_api_spec", "Print the OpenAPI document of a bundle."),
    "pull": Entry("bentoml.cli.pull", "Fetch a bundle of a Yatai server."),
    "push": Entry("bentoml.cli.push", "Send a bundle to a Yatai server."),
    "repair": Entry("bentoml.cli.repair", "Rebuild the repository's index from the saved bundles."),
    "retrieve": Entry("bentoml.cli.retrieve", "Copy a saved bundle to a directory."),
    "run": Entry("bentoml.cli.run", "Run an API on data from the command line."),
    "sbom": Entry("bentoml.cli.sbom", "Print what a bundle is made of, as CycloneDX."),
    "sagemaker": Entry("bentoml.cli.cloud:sagemaker", "Not supported; says what is."),
    "serve": Entry("bentoml.cli.serve", "Serve a bundle over HTTP."),
    "serve-gunicorn": Entry("bentoml.cli.serve_gunicorn", "Serve a bundle over HTTP (0.13's name)."),
    "sign": Entry("bentoml.cli.sign", "Sign a saved bundle with a private key."),
    "yatai": Entry("bentoml.cli.yatai", "Manage a registry: aliases, labels, tokens, audit log."),
    "yatai-service-start": Entry("bentoml.cli.yatai_service_start", "Start the model management server."),
    "verify": Entry("bentoml.cli.verify", "Check that a bundle answers as it did when it was saved."),
}

commandline_interface = LazyGroup(
    _COMMANDS, name="bentoml-cli", help="Save, manage and serve machine-learning models."
)
click.version_option(__version__, prog_name="bentoml")(commandline_interface)


def main() -> None:
    """Entry point of the console script and of `python -m bentoml`."""
    commandline_interface(prog_name="bentoml")
