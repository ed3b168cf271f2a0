"""install-completion writes what the shell needs, once; the program answers the shell's questions."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Run = Callable[..., Result]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_installed_where_asked(run: Run, tmp_path: Path, shell: str) -> None:
    target = tmp_path / "deep" / "completion"
    result = run("install-completion", shell, str(target))
    assert result.output == f"{shell} completion installed in {target}\n"
    assert f"_BENTOML_COMPLETE={shell}_complete" in target.read_text()


def test_appending_twice_keeps_one_copy(run: Run, tmp_path: Path) -> None:
    target = tmp_path / "rc"
    target.write_text("export A=1")
    for _ in range(2):
        assert run("install-completion", "--append", "bash", str(target)).exit_code == 0
    text = target.read_text()
    assert text.startswith("export A=1\n")
    assert text.count("_bentoml_completion() {") == 1
    run("install-completion", "--overwrite", "bash", str(target))
    assert "export A=1" not in target.read_text()


def test_running_shell_is_the_default(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SHELL", "/usr/bin/zsh")
    assert run("install-completion").output == f"zsh completion installed in {tmp_path}/.zshrc\n"
    monkeypatch.setenv("SHELL", "/bin/tcsh")
    result = run("install-completion")
    assert result.exit_code == 1
    assert "name it: bash, zsh or fish" in result.stderr


def test_powershell_is_refused_clearly(run: Run, tmp_path: Path) -> None:
    result = run("install-completion", "powershell", str(tmp_path / "x"))
    assert result.exit_code == 1
    assert "Completion for powershell is not available; choose bash, zsh or fish." in result.stderr


@pytest.mark.parametrize(
    ("words", "expected"), [("bentoml serve", "serve-gunicorn"), ("bentoml list --or", "--order-by")]
)
def test_program_answers_the_shell(words: str, expected: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bentoml"],
        capture_output=True,
        text=True,
        check=True,
        env={
            **os.environ,
            "_BENTOML_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
        },
    )
    assert f"plain,{expected}\n" in done.stdout
