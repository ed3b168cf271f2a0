"""Command groups that import a command's module only when that command is used.

`bentoml --help` shows the one-line texts of the table below and stays fast however many commands
there are.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import click


@dataclass(frozen=True, slots=True)
class Entry:
    """A command's module, with its function if that is not `command(bundle)`, and its line in the help."""

    module: str
    short_help: str


class LazyGroup(click.Group):
    """A group over a table of entries.

    Args:
        entries: commands by name.
        bundle: the bundle that every command is about, when it is no argument of theirs.
    """

    def __init__(self, entries: Mapping[str, Entry], bundle: Path | None = None, **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self._entries = dict(entries)
        self._bundle = bundle

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self._entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = self._entries.get(cmd_name)
        if entry is None:
            return None
        module, _, function = entry.module.partition(":")
        command: click.Command = getattr(importlib.import_module(module), function or "command")(self._bundle)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in self._entries and not name.startswith("-") and not ctx.resilient_parsing:
            close = get_close_matches(name, self._entries, n=1)
            hint = f" Did you mean '{close[0]}'?" if close else ""
            ctx.fail(f"No such command '{name}'.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._entries[name].short_help) for name in self.list_commands(ctx)])
