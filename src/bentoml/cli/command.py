"""What all commands share: three options, logging, and how errors look."""

from __future__ import annotations

import os

import click

from bentoml.exceptions import BentoMLException

from .logs import configure

GROUP = "bentoml-cli"


class Command(click.Command):
    """A command whose library errors are one red line on stderr and exit code 1.

    Args:
        failed_name: how error lines call the command, if not by its name.
        prints_data: stdout is for the result alone, so log lines go to stderr.
    """

    def __init__(
        self, *args: object, failed_name: str | None = None, prints_data: bool = False, **options: object
    ) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self._failed_name = failed_name or self.name
        self._prints_data = prints_data
        self.params.extend(_common_options())

    def invoke(self, ctx: click.Context) -> object:
        quiet, verbose = bool(ctx.params.pop("quiet")), bool(ctx.params.pop("verbose"))
        if ctx.params.pop("do_not_track"):
            os.environ["BENTOML_DO_NOT_TRACK"] = "True"  # for user code that asks; nothing is ever sent
        ctx.meta["bentoml.settings"] = _log_settings(quiet, verbose)
        configure(quiet=quiet, verbose=verbose, to_stderr=self._prints_data)
        try:
            return super().invoke(ctx)
        except BentoMLException as err:
            message = f"{GROUP} {self._failed_name} failed: {err}"
            raise click.ClickException(click.style(message, fg="red")) from err


def log_settings() -> dict[str, object]:
    """Settings overrides that follow from `--quiet` and `--verbose` of the running command."""
    found: dict[str, object] = click.get_current_context().meta["bentoml.settings"]
    return found


def _log_settings(quiet: bool, verbose: bool) -> dict[str, object]:
    if quiet:
        return {"logging__level": "ERROR"}
    return {"debug": True} if verbose else {}


def _common_options() -> list[click.Parameter]:
    return [
        click.Option(["-q", "--quiet"], is_flag=True, help="Hide all warnings and info logs."),
        click.Option(["--verbose", "--debug", "verbose"], is_flag=True, help="Show debug logs."),
        click.Option(
            ["--do-not-track"],
            is_flag=True,
            envvar="BENTOML_DO_NOT_TRACK",
            help="Accepted for compatibility: no usage is ever reported.",
        ),
    ]
