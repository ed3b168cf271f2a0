"""`bentoml install-completion`: completion of commands and options with the Tab key."""

from __future__ import annotations

import os
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from bentoml.exceptions import BentoMLException, CLIException

from .command import Command

_SHELLS = ("bash", "zsh", "fish", "powershell")
_DEFAULT_FILES = {
    "bash": "~/.bash_completion",
    "zsh": "~/.zshrc",
    "fish": "~/.config/fish/completions/{program}.fish",
}


def command(_bundle: Path | None = None) -> click.Command:
    return install_completion


@click.command("install-completion", cls=Command, failed_name="install_completion")
@click.option("--append/--overwrite", default=None, help="Add to the file, or replace it.")
@click.argument("shell", required=False, type=click.Choice(_SHELLS))
@click.argument("path", required=False)
@click.pass_context
def install_completion(ctx: click.Context, append: bool | None, shell: str | None, path: str | None) -> None:
    """Install completion for SHELL (the running one) in the file PATH (the shell's usual one)."""
    shell = shell or _running_shell()
    if shell not in _DEFAULT_FILES:
        raise CLIException(f"Completion for {shell} is not available; choose bash, zsh or fish.")
    group = ctx.find_root()
    program = group.info_name or "bentoml"
    target = Path(path or _DEFAULT_FILES[shell].format(program=program)).expanduser()
    if append is None:
        append = shell != "fish"
    try:
        _install(_source(group.command, shell, program), target, append=append)
    except OSError as err:
        raise BentoMLException(f"Cannot write '{target}': {err.strerror}.") from err
    click.echo(f"{shell} completion installed in {target}")


def _source(group: click.Command, shell: str, program: str) -> str:
    """The shell code that asks the program itself for completions."""
    complete = get_completion_class(shell)
    assert complete is not None
    variable = f"_{program.replace('-', '_').replace('.', '_').upper()}_COMPLETE"
    instance = complete(group, {}, program, variable)
    return instance.source_template % instance.source_vars()


def _install(source: str, target: Path, *, append: bool) -> None:
    """Write the code; appended twice it is still there once."""
    target.parent.mkdir(parents=True, exist_ok=True)
    before = target.read_text("utf-8") if append and target.exists() else ""
    if source in before:
        return
    separator = "\n" if before and not before.endswith("\n") else ""
    target.write_text(before + separator + source + "\n", "utf-8")


def _running_shell() -> str:
    shell = Path(os.environ.get("SHELL", "")).name
    if shell not in _DEFAULT_FILES:
        raise CLIException("Cannot tell which shell is running; name it: bash, zsh or fish.")
    return shell
