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
local expected, fragment = os.getenv("BENCH_EXPECTED"), os.getenv("BENCH_FRAGMENT")
wrong = 0
local thread_of
function setup(thread) thread_of = thread end
if expected then
  local wanted = io.open(expected, "rb"); local answer = wanted:read("*a"); wanted:close()
  response = function(status, headers, body)
    local right = body == answer
    if fragment then right = body:find(answer, 1, true) ~= nil end
    if status ~= 200 or not right then wrong = wrong + 1 end
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
    is_fragment: bool

    @classmethod
    def prepare(
        cls,
        directory: Path,
        target: tuple[str, str],
        body: bytes,
        answer: bytes,
        *,
        is_fragment: bool = False,
    ) -> Generator:
        """Write the files that wrk reads into `directory`.

        Args:
            target: URL and content type.
            answer: the whole of every answer, or with `is_fragment` a part of it.
        """
        files = [directory / name for name in ("load.body", "load.lua", "load.answer")]
        made = cls(*target, files[0], files[1], files[2], is_fragment)
        made.body.write_bytes(body)
        made.answer.write_bytes(answer)
        made.script.write_text(SCRIPT)
        return made

    def run(self, connections: int, seconds: int, *, read_answers: bool) -> LoadResult:
        """Load the server for `seconds`; with `read_answers` every body is compared (and wrk is slower)."""
        environment = {"BENCH_CONTENT_TYPE": self.content_type, "BENCH_BODY": str(self.body)}
        if read_answers:
            environment["BENCH_EXPECTED"] = str(self.answer)
            if self.is_fragment:
                environment["BENCH_FRAGMENT"] = "1"
        command = [require_wrk(), "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout=120s", "--latency"]
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
