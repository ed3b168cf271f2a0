"""Where progress is shown: a bar on a terminal, a line that changes in a notebook, else lines."""

from __future__ import annotations

import sys
from importlib import import_module
from time import monotonic
from typing import Any, Protocol

LINE_EVERY_S = 10.0
_CHANGE_EVERY_S = 0.25
_WIDTH = 40


class Bar(Protocol):
    """Shows one state after the other."""

    def show(self, share: float | None, line: str) -> None:
        """`share` of the input is done, None if unknown; `line` says it in words."""
        ...

    def close(self, share: float | None, line: str) -> None:
        """The last state."""
        ...


def bar_for_stderr() -> Bar:
    """What suits standard error."""
    if _is_in_notebook():
        return NotebookBar()
    from rich.console import Console  # noqa: PLC0415 - not needed for a quiet run

    console = Console(file=sys.stderr)
    return TerminalBar(console) if console.is_terminal else Lines()


class TerminalBar:
    """One line at the bottom of the terminal, gone when the run is over."""

    def __init__(self, console: Any) -> None:
        from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415 - see above
        from rich.table import Column  # noqa: PLC0415

        text = TextColumn("{task.fields[info]}", table_column=Column(no_wrap=True))
        self._bar = Progress(BarColumn(), text, console=console, transient=True)
        self._task = self._bar.add_task("rows", total=None, info="starting")
        self._bar.start()

    def show(self, share: float | None, line: str) -> None:
        total = None if share is None else 1.0
        self._bar.update(self._task, total=total, completed=share or 0.0, info=line)

    def close(self, share: float | None, line: str) -> None:
        self._bar.stop()


class NotebookBar:
    """One output of the cell, which is replaced; its last state stays. Needs no widgets."""

    def __init__(self) -> None:
        display = import_module("IPython.display").display  # this is a notebook, so it is there
        self._handle = display({"text/plain": "starting"}, raw=True, display_id=True)
        self._changed = 0.0

    def show(self, share: float | None, line: str) -> None:
        if monotonic() - self._changed >= _CHANGE_EVERY_S:
            self._changed = monotonic()
            self._put(share, line)

    def close(self, share: float | None, line: str) -> None:
        self._put(share, line)

    def _put(self, share: float | None, line: str) -> None:
        done = round(_WIDTH * min(1.0, share or 0.0))
        bar = "" if share is None else "█" * done + "░" * (_WIDTH - done) + " "
        self._handle.update({"text/plain": bar + line}, raw=True)


class Lines:
    """A line now and then, for log files and pipes."""

    def __init__(self) -> None:
        self._last = monotonic()

    def show(self, share: float | None, line: str) -> None:
        if monotonic() - self._last >= LINE_EVERY_S:
            self._last = monotonic()
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()

    def close(self, share: float | None, line: str) -> None:
        """The summary of the run says the rest."""


def _is_in_notebook() -> bool:
    """Whether this is a kernel that shows rich outputs; IPython in a terminal is none."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ not in ("NoneType", "TerminalInteractiveShell")
