"""The import path that bundles written by 0.13 use for their own command."""

from __future__ import annotations

import click

from .bundle_cli import create_bundle_cli


def create_bento_service_cli(pip_installed_bundle_path: str) -> click.Group:
    """See `create_bundle_cli`."""
    return create_bundle_cli(pip_installed_bundle_path)
