"""What all commands share: help, version, options, errors, speed of the start."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

import bentoml
from bentoml.cli.bento_service import create_bento_service_cli
from bentoml.cli.bundle_cli import create_bundle_cli
from bentoml.cli.main import commandline_interface
from tests.repository.bundles import make_bundle

Run = Callable[..., Result]
Add = Callable[..., Path]
COMMANDS = commandline_interface.list_commands(click.Context(commandline_interface))


def leaves(group: click.Group, *path: str) -> list[tuple[str, ...]]:
    """Paths of all commands that are no groups."""
    context = click.Context(group)
    found = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        found += leaves(command, *path, name) if isinstance(command, click.Group) else [(*path, name)]
    return found


EXPECTED = {
    *("delete", "get", "info", "install-completion", "list", "open-api-spec"),
    *("check-batching", "repair", "retrieve", "run", "serve", "serve-gunicorn"),
}


def test_all_commands_are_there() -> None:
    assert set(COMMANDS) >= EXPECTED


@pytest.mark.parametrize("path", leaves(commandline_interface), ids=" ".join)
def test_every_command_has_the_common_options(run: Run, path: tuple[str, ...]) -> None:
    result = run(*path, "--help")
    assert result.exit_code == 0, result.output
    for option in ("-q, --quiet", "--verbose, --debug", "--do-not-track", "--help"):
        assert option in result.output


def test_version(run: Run) -> None:
    assert run("--version").output == f"bentoml, version {bentoml.__version__}\n"


def test_public_name() -> None:
    assert bentoml.commandline_interface is commandline_interface


def test_mistyped_command_gets_a_suggestion(run: Run) -> None:
    result = run("serv-gunicorn")
    assert result.exit_code == 2
    assert "No such command 'serv-gunicorn'. Did you mean 'serve-gunicorn'?" in result.stderr


def test_usage_errors_are_exit_code_2(run: Run) -> None:
    assert run("list", "--nope").exit_code == 2
    assert run("get").exit_code == 2
    assert run("list", "-o", "xml").exit_code == 2
    assert run("serve", "x", "--port", "70000").exit_code == 2


def test_quiet_hides_info_lines(run: Run, add: Add) -> None:
    add("Iris", "1")
    assert "INFO" not in run("delete", "Iris:1", "-y", "--quiet").output


def test_quiet_wins_over_verbose_and_says_so(run: Run) -> None:
    result = run("list", "-q", "--debug")
    assert "`--verbose/--debug` is ignored" in result.stderr
    assert logging.getLogger("bentoml").level == logging.ERROR


def test_verbose_shows_debug_lines(run: Run) -> None:
    run("list", "--verbose")
    assert logging.getLogger("bentoml").level == logging.DEBUG


def test_errors_are_red_on_a_terminal(home: Path) -> None:
    result = CliRunner().invoke(commandline_interface, ["get", "Nope:1"], color=True)
    assert "Error: \x1b[31mbentoml-cli get failed: BentoService Nope:1 not found" in result.stderr


def test_bare_name_has_the_known_message(run: Run) -> None:
    result = run("serve", "Nope")
    assert result.exit_code == 1
    assert result.stderr.startswith(
        'Error: bentoml-cli serve failed: BentoService "Nope" not found - either specify the file path of '
        'the BentoService saved bundle, or the BentoService id in the form of "name:version"'
    )


def test_serve_gunicorn_is_named_as_in_013(run: Run) -> None:
    assert "bentoml-cli serve_gunicorn failed:" in run("serve-gunicorn", "Nope:1").stderr


def test_other_exceptions_are_not_hidden(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("bentoml.yatai.client.get_yatai_client", fail)
    result = run("list")
    assert isinstance(result.exception, ZeroDivisionError)
    assert result.exit_code == 1


def test_bundle_command_has_no_bento_argument(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle", "Iris", "1")
    for make in (create_bundle_cli, create_bento_service_cli):
        group = make(str(bundle))
        names = set(group.list_commands(click.Context(group)))
        assert names == EXPECTED - {"delete", "get", "list", "repair", "retrieve"} | {
            "containerize",
            "inspect",
            "verify",
        }
        result = CliRunner().invoke(group, ["info"])
        assert '"version": "1"' in result.output
    assert (
        CliRunner()
        .invoke(group, ["serve", "--help"])
        .output.startswith("Usage: bentoml-cli serve [OPTIONS]\n")
    )


def bentoml_command(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bentoml", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "BENTOML_HOME": str(home), "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def test_python_dash_m_bentoml(add: Add, home: Path) -> None:
    path = add("Iris", "1")
    done = bentoml_command("get", "Iris:latest", "--print-location", home=home)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{path}\n", "")
    done = bentoml_command("get", "Iris:9", home=home)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: bentoml-cli get failed:")
    assert "\x1b" not in done.stderr


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys, bentoml.cli.main as m\n"
        "try:\n    m.commandline_interface(['--help'], prog_name='bentoml')\n"
        "except SystemExit: pass\n"
        "heavy = {'sqlalchemy', 'alembic', 'pydantic', 'rich', 'yaml', 'numpy', 'starlette', 'uvicorn'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_list_of_a_current_repository_does_not_import_alembic(add: Add, home: Path) -> None:
    add("Iris", "1")
    script = (
        "import sys\nfrom bentoml.repository.open import open_repository\n"
        "print([r.tag for r in open_repository().list()], 'alembic' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "BENTOML_HOME": str(home)},
    )
    assert done.stdout == "['Iris:1'] False\n"
