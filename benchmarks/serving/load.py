"""The closed-loop load: wrk with one thread, told what the answer has to be."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

INSTALL_HINT = "Install it (Debian, Ubuntu: apt-get install wrk nginx; macOS: brew install wrk nginx)."

# `response` costs the generator time, so it is there only in the warm-up, which reads every answer.
# The measured run counts status codes and bytes, which wrk does by itself.
SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = os.getenv("BENCH_CONTENT_TYPE")
local file = io.open(os.getenv("BENCH_BODY"), "rb"); wrk.body = file:read("*a"); file:close()
local expected = os.getenv("BENCH_EXPECTED")
wrong = 0
local thread_of
function setup(thread) thread_of = thread end
if expected then
  local wanted = io.open(expected, "rb"); local answer = wanted:read("*a"); wanted:close()
  response = function(status, headers, body)
    if status ~= 200 or body ~= answer then wrong = wrong + 1 end
  end
end
function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format('\\nRESULT {"requests": %d, "duration_us": %d, "bytes": %d, "status_errors": %d, ' ..
    '"socket_errors": %d, "timeouts": %d, "wrong": %d, ' ..
    '"p50_us": %d, "p90_us": %d, "p99_us": %d, "max_us": %d}\\n',
    summary.requests, summary.duration, summary.bytes, errors.status,
    errors.connect + errors.read + errors.write, errors.timeout, tonumber(thread_of:get("wrong")),
    latency:percentile(50), latency:percentile(90), latency:percentile(99), latency.max))
end
"""


@dataclass(frozen=True)
class LoadResult:
    """What one run of the generator saw; latencies in microseconds."""

    requests: int
    duration_us: int
    bytes: int
    status_errors: int
    socket_errors: int
    timeouts: int
    p50_us: int
    p90_us: int
    p99_us: int
    max_us: int
    wrong: int

    @property
    def rate(self) -> float:
        """Answers with status 2xx a second."""
        return (self.requests - self.status_errors) / (self.duration_us / 1e6)

    @property
    def faults(self) -> int:
        return self.status_errors + self.socket_errors + self.timeouts + self.wrong


def require_wrk() -> str:
    found = shutil.which("wrk")
    if found is None:
        raise SystemExit(f"The load generator wrk was not found. {INSTALL_HINT}")
    return found


@dataclass(frozen=True)
class Generator:
    """wrk, aimed at one address with one body."""

    url: str
    content_type: str
    body: Path
    script: Path
    answer: Path

    @classmethod
    def prepare(cls, directory: Path, url: str, content_type: str, body: bytes, answer: bytes) -> Generator:
        """Write the files that wrk reads into `directory`."""
        made = cls(
            url, content_type, directory / "load.body", directory / "load.lua", directory / "load.answer"
        )
        made.body.write_bytes(body)
        made.answer.write_bytes(answer)
        made.script.write_text(SCRIPT)
        return made

    def run(self, connections: int, seconds: int, *, read_answers: bool) -> LoadResult:
        """Load the server for `seconds`; with `read_answers` every body is compared (and wrk is slower)."""
        environment = {"BENCH_CONTENT_TYPE": self.content_type, "BENCH_BODY": str(self.body)}
        if read_answers:
            environment["BENCH_EXPECTED"] = str(self.answer)
        command = [require_wrk(), "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout=30s", "--latency"]
        run = subprocess.run(
            [*command, "-s", str(self.script), self.url],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
        )
        for line in run.stdout.splitlines():
            if line.startswith("RESULT "):
                return LoadResult(**json.loads(line.removeprefix("RESULT ")))
        raise SystemExit(f"wrk gave no result: {run.stdout}{run.stderr}")
