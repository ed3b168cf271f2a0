"""How long importing takes, beside an interpreter that imports nothing.

    python benchmarks/micro/import_time.py

Milliseconds of a fresh process, median of several, in turns.
"""

from __future__ import annotations

import subprocess
import sys
from statistics import median
from time import perf_counter

ROUNDS = 15
PROGRAMS = {
    "pass": "pass",
    "import bentoml": "import bentoml",
    "a service file's imports": (
        "import bentoml\nfrom bentoml.adapters import JsonInput, DataframeInput\n"
        "from bentoml.frameworks.sklearn import SklearnModelArtifact\nbentoml.BentoService"
    ),
    "bentoml --help": (
        "import runpy, sys\nsys.argv = ['bentoml', '--help']\n"
        "runpy.run_module('bentoml', run_name='__main__')"
    ),
}


def seconds(program: str) -> float:
    started = perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)
    return perf_counter() - started


if __name__ == "__main__":
    taken: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for program in PROGRAMS.values():
        seconds(program)  # compiles and fills caches
    for _ in range(ROUNDS):
        for name, program in PROGRAMS.items():
            taken[name].append(seconds(program))
    base = median(taken["pass"])
    for name, values in taken.items():
        middle = median(values)
        print(f"{name:<28}{middle * 1000:8.1f} ms   {(middle - base) * 1000:+7.1f} ms")
