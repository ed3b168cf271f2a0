"""Log lines: 0.13's formats, one event on one line, and nothing installed by an import."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bentoml.exceptions import BentoMLConfigException
from bentoml.observability.logs import configure, configure_logging, configure_worker, reset, user_logger
from bentoml.settings import load_settings

STAMP = r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}\]"


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in list(os.environ):
        if name.startswith("BENTOML_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path))
    unconfigured()
    yield
    unconfigured()


def unconfigured() -> None:
    """Put logging back to what a fresh process has, whatever ran before in this one."""
    reset()
    root = logging.getLogger("bentoml")
    root.setLevel(logging.NOTSET)
    root.propagate = True
    root.disabled = False


def test_console_and_file_have_the_formats_of_013(tmp_path: Path, capsys) -> None:
    configure(load_settings())
    logging.getLogger("bentoml.area").info("saved to: %s", "/x")
    assert re.fullmatch(STAMP + r" INFO - saved to: /x\n", capsys.readouterr().out)
    text = (tmp_path / "logs" / "active.log").read_text()
    assert re.fullmatch(STAMP + r" \{test_logs\.py:\d+\} INFO - saved to: /x\n", text)


def test_level_debug_and_quiet(tmp_path: Path, capsys, monkeypatch) -> None:
    configure(load_settings(logging__level="ERROR", logging__file_enabled=False))
    logging.getLogger("bentoml").warning("hidden")
    assert capsys.readouterr().out == ""
    assert not (tmp_path / "logs").exists()
    monkeypatch.setenv("BENTOML_DEBUG", "true")
    configure_logging()
    logging.getLogger("bentoml").debug("seen")
    assert "DEBUG - seen" in capsys.readouterr().out


def test_console_can_be_off(capsys, tmp_path: Path) -> None:
    configure(load_settings(logging__console_enabled=False))
    logging.getLogger("bentoml").error("only in the file")
    assert capsys.readouterr() == ("", "")
    assert "only in the file" in (tmp_path / "logs" / "active.log").read_text()


@pytest.mark.parametrize(
    "nasty", ["a\nb", "a\r\n[2020-01-01 00:00:00,000] INFO - fake", "\x1b[31mred", "\u2028", "\u202e"]
)
def test_P16_one_event_is_one_line(capsys, nasty: str) -> None:
    configure(load_settings(logging__file_enabled=False))
    logging.getLogger("bentoml").warning("client sent %s", nasty)
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert out.endswith("\n")
    assert nasty not in out


def test_traceback_lines_cannot_pass_for_entries(capsys) -> None:
    configure(load_settings(logging__file_enabled=False))
    try:
        raise ValueError("x\n[2020-01-01 00:00:00,000] INFO - fake")
    except ValueError:
        logging.getLogger("bentoml").exception("failed")
    first, *rest = capsys.readouterr().out.splitlines()
    assert first.endswith("ERROR - failed")
    assert rest
    assert all(line.startswith("    ") for line in rest)


def test_advanced_mode_replaces_everything(capsys) -> None:
    config = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"f": {"format": "MINE %(message)s"}},
        "handlers": {"h": {"class": "logging.StreamHandler", "formatter": "f", "stream": "ext://sys.stdout"}},
        "loggers": {"bentoml": {"handlers": ["h"], "level": "INFO"}},
    }
    configure(load_settings(logging__advanced_enabled=True, logging__advanced_config=config))
    logging.getLogger("bentoml").info("hello")
    assert capsys.readouterr().out == "MINE hello\n"


def test_broken_advanced_config_is_the_operators_error() -> None:
    with pytest.raises(BentoMLConfigException, match="dictConfig"):
        configure(load_settings(logging__advanced_enabled=True, logging__advanced_config={"version": 7}))


def test_user_logger_adds_a_console_once_and_leaves_a_configured_one_alone(capsys) -> None:
    user_logger().info("one")
    user_logger().info("two")
    assert [line[-3:] for line in capsys.readouterr().out.splitlines()] == ["one", "two"]
    reset()
    logging.getLogger("bentoml").addHandler(logging.NullHandler())
    user_logger().info("three")
    assert capsys.readouterr().out == ""


def test_a_worker_logs_through_its_own_set_up(tmp_path: Path) -> None:
    code = (
        "import logging, sys, pathlib; from bentoml.observability.logs import configure_worker;"
        f"configure_worker('INFO', file=pathlib.Path({str(tmp_path / 'active.log')!r}));"
        "logging.getLogger('bentoml').info('from a worker');"
        "print([m for m in sys.modules if 'pydantic' in m], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "INFO - from a worker" in done.stdout
    assert "from a worker" in (tmp_path / "active.log").read_text()
    assert done.stderr.strip() == "[]"


def test_importing_installs_no_handler() -> None:
    code = (
        "import logging, bentoml, bentoml.observability.logs;"
        "print(logging.getLogger('bentoml').handlers, logging.getLogger().handlers)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] []"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_F20_a_full_disk_is_told_once_and_stops_nothing(capsys) -> None:
    configure_worker("INFO", console=False, file=Path("/dev/full"))
    for _ in range(5):
        logging.getLogger("bentoml").info("line")
    assert capsys.readouterr().err.count("Cannot write") == 1
