"""`bentoml keygen`: a pair of keys for signing bundles."""

from __future__ import annotations

from pathlib import Path

import click

from .command import Command


def command(_bundle: Path | None = None) -> click.Command:
    return keygen


@click.command(cls=Command)
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--encrypt", is_flag=True, help="Ask for a password and encrypt the private key with it.")
def keygen(path: Path, encrypt: bool) -> None:
    """Make an Ed25519 key pair: PATH.pem signs bundles and stays secret, PATH.pub checks them."""
    from bentoml.bundle.trust.keys import generate_key, load_public_keys

    password = click.prompt("Password", hide_input=True, confirmation_prompt=True) if encrypt else None
    private, public = generate_key(path, password)
    (key,) = load_public_keys([str(public)])
    click.echo(f"Private key: {private} (keep it secret)")
    click.echo(f"Public key:  {public}")
    click.echo(f"Key id:      {key.id[:16]}")
