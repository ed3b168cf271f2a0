"""What `--job` costs, as a share of the CPU time of the very run that has it.

Two runs beside each other differ by more than a job costs. Inside one run the CPU time of keeping parts and
of writing the output from them can be told from that of the rest; writing the output itself is no cost of
the job, as every run does it. `python -m benchmarks.offline.job_share BUNDLE INPUT OUTPUT`
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import process_time
from typing import Any

from bentoml import offline
from bentoml.offline.checkpoint import Job
from bentoml.offline.sinks.base import TypedSink


class Meter:
    """CPU seconds inside some methods; a call inside a call counts once."""

    def __init__(self) -> None:
        self.cpu_s = 0.0
        self._depth = 0

    @contextmanager
    def running(self) -> Iterator[None]:
        began = process_time()
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if not self._depth:
                self.cpu_s += process_time() - began

    def measure(self, cls: Any, name: str) -> None:
        method: Callable[..., Any] = getattr(cls, name)

        def measured(*args: Any, **options: Any) -> Any:
            with self.running():
                return method(*args, **options)

        setattr(cls, name, measured)


def main() -> None:
    bundle, source, sink = sys.argv[1:]
    job, output = Meter(), Meter()
    for name in ("__init__", "add", "commit", "complete", "close"):
        job.measure(Job, name)
    for name in ("write", "finish"):
        output.measure(TypedSink, name)
    folder = Path(tempfile.mkdtemp(prefix="job-share-"))
    began = process_time()
    done = offline.run(bundle, "predict", source, sink, job=folder / "job", progress=False)
    total = process_time() - began
    shutil.rmtree(folder)
    cost = job.cpu_s - output.cpu_s
    print(f"{done.rows} rows: {cost:.3f} s of the job in {total - cost:.3f} s, {cost / (total - cost):.1%}")


if __name__ == "__main__":
    main()
