"""Writes `fixtures/` and `recorded/` anew with the real 0.13.1.

    BENTOML013_PYTHON=… python -m tests.compat013.record [--keep-fixtures] [--mode serve|serve-gunicorn]

What changes from run to run (request ids, dates, ports) is left out of the recordings; request ids
are stored as `<uuid>`, paths of the home as `<home>`.
"""

from __future__ import annotations

import argparse
import http.client
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from .case import DATA
from .cases import Case, Run, cli_cases, http_cases
from .home import FIXTURE_HOME, HERE, RECORDED_HOME, install_home, move_rows
from .rows import RECORDED, bytes_to_json, write_rows
from .wire import Answer, send, serving

KEPT_HEADERS = ("content-type", "allow", "x-request-id", "x-model", "location")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LOG_LINE = re.compile(r"^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}\] ")
# Assets and pages are compared by status only, so their text is not stored.
_NO_BODY = ("text/css", "application/javascript", "text/javascript")


def real_env(home: Path) -> dict[str, str]:
    return {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "true", "PYTHONWARNINGS": "ignore"}


def save_fixtures(python: str, home: Path) -> None:
    """Let the real 0.13.1 save every service into `home`."""
    script = HERE / "save_services.py"
    subprocess.run([python, str(script)], env={**os.environ, **real_env(home)}, check=True, cwd=home)


def adopt_fixtures(home: Path) -> None:
    """Make a home that `save_fixtures` filled the committed one."""
    shutil.rmtree(FIXTURE_HOME, ignore_errors=True)
    FIXTURE_HOME.mkdir(parents=True)
    shutil.copytree(
        home / "repository", FIXTURE_HOME / "repository", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copytree(
        home / "FormService", FIXTURE_HOME / "FormService", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(home / "storage.db", FIXTURE_HOME / "storage.db")
    move_rows(FIXTURE_HOME / "storage.db", str(home), RECORDED_HOME)


def metric_types(body: bytes) -> bytes:
    """`name type` of every metric of a page in the Prometheus text format, one a line."""
    return b"\n".join(sorted(set(re.findall(rb"^# TYPE (.*)$", body, re.M))))


def answer_to_json(case: Case, answer: Answer) -> dict[str, Any]:
    headers = {k: _UUID.sub("<uuid>", v) for k, v in answer.headers.items() if k in KEPT_HEADERS}
    drop = case.compare == "status" and (
        answer.status == 200 or headers.get("content-type", "").startswith(_NO_BODY)
    )
    body = b"" if drop else answer.body
    if case.compare == "metrics":
        body = metric_types(body)
    text = bytes_to_json(body)
    if isinstance(text, str) and "Traceback (most recent call last)" in text:
        text = text.partition("Traceback")[0] + "Traceback … " + text.strip().splitlines()[-1]
    return {"status": answer.status, "headers": headers, "body": text}


class Recorder:
    """Sends cases to a running 0.13.1 and starts it afresh after one it could not answer.

    A request that it never answers blocks its only worker, so the next ones would seem unanswered too.
    """

    def __init__(self, command: list[str], home: Path) -> None:
        self._command = command
        self._home = home
        self._stack = ExitStack()
        self._port = 0

    def __enter__(self) -> Recorder:
        self._start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def _start(self) -> None:
        self._stack.close()
        self._port = self._stack.enter_context(
            serving(self._command, real_env(self._home), self._home / "server.log")
        )

    def ask(self, case: Case) -> Answer:
        """The answer; status 0 where there was none within 10 s."""
        try:
            return send(self._port, case.method, case.path, case.headers, case.body, timeout_s=10)
        except (OSError, http.client.HTTPException) as exc:
            print(f"{case.id}: {exc!r}")
            self._start()
            return Answer(0, {}, b"")


def record_http(python: str, home: Path, mode: str, cases: Iterable[Case]) -> dict[str, list[dict[str, Any]]]:
    by_service: dict[str, list[Case]] = {}
    for case in cases:
        by_service.setdefault(case.service, []).append(case)
    out: dict[str, list[dict[str, Any]]] = {}
    for tag, group in by_service.items():
        rows = []
        with Recorder([python, "-m", "bentoml", mode, tag], home) as recorder:
            for case in group:
                answer = answer_to_json(case, recorder.ask(case))
                request = {
                    "method": case.method,
                    "path": case.path,
                    "headers": case.headers,
                    "body": bytes_to_json(case.body),
                }
                rows.append({"id": case.id, "compare": case.compare, "request": request, "answer": answer})
        out[tag] = rows
        print(f"{tag}: {len(rows)} requests")
    return out


def without_logs(text: str) -> list[str]:
    """The lines that are not log records or the tracebacks they carry."""
    lines: list[str] = []
    inside = False
    for line in text.splitlines():
        if inside and not line.startswith(" "):
            inside = False  # the line that names the exception ends a traceback
        elif line.startswith("Traceback (most recent call last)"):
            inside = True
        elif not inside and not _LOG_LINE.match(line):
            lines.append(line)
    return lines


def run_cli(command: list[str], run: Run, home: Path, env: dict[str, str]) -> dict[str, Any]:
    """One command line in a folder with its files; paths of `home` become `<home>`."""
    folder = home / "cwd"
    folder.mkdir(exist_ok=True)
    shutil.copytree(DATA, folder, dirs_exist_ok=True)
    for name, text in run.files.items():
        (folder / name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        [*command, *run.argv],
        env={**os.environ, **env, "COLUMNS": "200"},
        cwd=folder,
        capture_output=True,
        timeout=120,
    )
    stdout, stderr = (
        re.sub(r"\x1b\[[0-9;]*m", "", s.decode()).replace(str(home), "<home>")
        for s in (done.stdout, done.stderr)
    )
    lines = without_logs(stdout)
    last = [line for line in stderr.splitlines() if line.strip()][-1:]
    return {
        "code": done.returncode,
        "stdout": _UUID.sub("<uuid>", "\n".join(lines)),
        "stderr_last": _UUID.sub("<uuid>", "".join(last)),
    }


def record_cli(python: str, home: Path) -> list[dict[str, Any]]:
    rows = []
    for run in cli_cases():
        answer = run_cli([python, "-m", "bentoml"], run, home, real_env(home))
        rows.append({"id": run.id, "argv": list(run.argv), "answer": answer})
    print(f"command line: {len(rows)} runs")
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--python", default=os.environ.get("BENTOML013_PYTHON"), help="an interpreter that has bentoml 0.13.1"
    )
    parser.add_argument("--keep-fixtures", action="store_true", help="record with the committed bundles")
    parser.add_argument("--mode", choices=("serve", "serve-gunicorn"), default="serve-gunicorn")
    parser.add_argument("--out", type=Path, default=RECORDED)
    parser.add_argument("--only", default="", help="http or cli")
    options = parser.parse_args()
    if not options.python:
        parser.error("name the interpreter of 0.13.1 with --python or BENTOML013_PYTHON")
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch) / "home013"
        if not options.keep_fixtures:
            home.mkdir()
            save_fixtures(options.python, home)
            adopt_fixtures(home)
            shutil.rmtree(home)
        install_home(home)
        options.out.mkdir(exist_ok=True)
        if options.only != "cli":
            for tag, rows in record_http(options.python, home, options.mode, http_cases()).items():
                write_rows(options.out / f"{tag.partition(':')[0]}.json", rows)
        if options.only != "http":
            write_rows(options.out / "cli.json", record_cli(options.python, home))
    return 0


if __name__ == "__main__":
    sys.exit(main())
