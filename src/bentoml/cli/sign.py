"""`bentoml sign`: vouch for a saved bundle."""

from __future__ import annotations

import os
from pathlib import Path

import click

from .command import Command
from .options import bento_argument, bento_epilog, locate

PASSWORD_VARIABLE = "BENTOML_KEY_PASSWORD"


def command(_bundle: Path | None = None) -> click.Command:
    return sign


@click.command(cls=Command, epilog=bento_epilog(None))
@bento_argument(None)
@click.option(
    "--key",
    "key_file",
    required=True,
    envvar="BENTOML_SIGNING_KEY",
    show_envvar=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Private Ed25519 key, in PEM or OpenSSH form; BENTOML_KEY_PASSWORD holds its password.",
)
@click.option("--ask-password", is_flag=True, help="Ask for the password of the private key.")
def sign(bento: str, key_file: Path, ask_password: bool) -> None:
    """Check every file of a bundle, then sign its list of digests.

    The signature lies in the bundle and travels with it. Several keys may sign one bundle.
    """
    from bentoml.bundle.trust.keys import load_private_key
    from bentoml.bundle.trust.signature import sign_bundle

    password = os.environ.get(PASSWORD_VARIABLE) or None
    if ask_password:
        password = click.prompt("Password", hide_input=True)
    key = load_private_key(key_file, password)
    signature = sign_bundle(locate(bento, None, None), key)
    click.echo(f"Signed {signature.name}:{signature.version} with key {signature.public_key.id[:16]}")
