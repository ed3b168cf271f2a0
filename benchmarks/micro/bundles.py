"""Saving, listing and inspecting bundles: seconds of the clock and of all processors, the best of a few runs.

    python -m benchmarks.micro.bundles            # save, list of 1,000, inspect of 2 GiB
    python -m benchmarks.micro.bundles save list  # some of them

`save` is the iris service with everything: files, digests, fsync, the import check in a clean interpreter.
Processor time holds on a busy machine, too; the clock does not.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

SERVICE = """
import bentoml
from bentoml.adapters import DataframeInput
from bentoml.frameworks.sklearn import SklearnModelArtifact

@bentoml.env(infer_pip_packages=True)
@bentoml.artifacts([SklearnModelArtifact("model")])
class IrisClassifier(bentoml.BentoService):
    @bentoml.api(input=DataframeInput(), batch=True)
    def predict(self, df):
        return self.artifacts.model.predict(df)
"""
SAVE = """
import os, time
from sklearn.datasets import load_iris
from sklearn.svm import SVC
from iris import IrisClassifier
x, y = load_iris(return_X_y=True)
model = SVC(gamma="scale").fit(x, y)
for _ in range(4):
    started, before = time.perf_counter(), sum(os.times()[:4])
    service = IrisClassifier()
    service.pack("model", model)
    service.save()
    print("SECONDS", time.perf_counter() - started, sum(os.times()[:4]) - before)
"""
BIG = 2 << 30
BIG_SERVICE = """
import bentoml, sys
from bentoml.adapters import JsonInput
from bentoml.service.artifacts.common import PickleArtifact

@bentoml.artifacts([PickleArtifact("model", pickle_module="pickle")])
class Big(bentoml.BentoService):
    @bentoml.api(input=JsonInput(), batch=False)
    def predict(self, value):
        return value

if __name__ == "__main__":
    import os, time
    service = Big().pack("model", bytes(int(sys.argv[1])))
    started, before = time.perf_counter(), sum(os.times()[:4])
    service.save(version="1")
    print("SECONDS", time.perf_counter() - started, sum(os.times()[:4]) - before)
"""


class Cost(NamedTuple):
    """Seconds of the clock and of all processors."""

    clock_s: float
    cpu_s: float

    def __str__(self) -> str:
        return f"{self.clock_s:.2f} s ({self.cpu_s:.2f} s of processors)"


def run(work: Path, *arguments: str) -> list[Cost]:
    """What a Python with these arguments printed."""
    env = {**os.environ, "BENTOML_HOME": str(work / "home")}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=work,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("SECONDS")]
    return [Cost(float(clock), float(cpu)) for _, clock, cpu in lines]


def command(work: Path, *arguments: str) -> Cost:
    """A whole `bentoml` command, the best of five."""
    env = {**os.environ, "BENTOML_HOME": str(work / "home")}
    costs = []
    for _ in range(5):
        started, before = perf_counter(), sum(os.times()[2:4])
        subprocess.run(
            [sys.executable, "-m", "bentoml", *arguments], env=env, check=True, capture_output=True
        )
        costs.append(Cost(perf_counter() - started, sum(os.times()[2:4]) - before))
    return Cost(min(cost.clock_s for cost in costs), min(cost.cpu_s for cost in costs))


def save(work: Path) -> None:
    (work / "iris.py").write_text(SERVICE)
    firsts, others = [], []
    for _ in range(3):
        first, *later = run(work, "-c", SAVE)
        firsts.append(first)
        others += later
    print(f"save of iris, first in the process: {min(firsts)}")
    print(f"save of iris, later: {min(others)}")


def list_thousand(work: Path) -> None:
    script = """
        from bentoml.repository.local import LocalRepository
        from bentoml.bundle.descriptor import BundleDescriptor, ApiDescriptor
        from bentoml.bundle.metadata import metadata_dict
        from bentoml.repository.index import Addition
        from bentoml.tags import Tag
        from datetime import datetime, timezone
        from pathlib import Path
        repository = LocalRepository()
        repository.list()
        api = ApiDescriptor("predict", "predict", input_type="JsonInput")
        for number in range(1000):
            tag = Tag("Model%d" % (number % 50), "v%d" % number)
            path = repository.target(tag)
            path.mkdir(parents=True)
            described = BundleDescriptor(
                tag.name, tag.version, datetime.now(timezone.utc), "m", "m.py", "0.14.0", apis=(api,)
            )
            (path / "bentoml.yml").write_text(described.to_yaml())
            added = Addition(metadata_dict(described, camel=False), {"env": "dev"})
            repository._index.add(tag, str(path), added)
    """
    run(work, "-c", textwrap.dedent(script))
    print(f"bentoml list --limit 1000: {command(work, 'list', '--limit', '1000')}")


def inspect_two_gib(work: Path) -> None:
    (work / "big.py").write_text(BIG_SERVICE)
    [cost] = run(work, "big.py", str(BIG))
    print(f"save of 2 GiB: {cost}")
    print(f"inspect of 2 GiB, no hashing: {command(work, 'inspect', 'Big:1', '--skip-hashing')}")
    print(f"inspect of 2 GiB, hashing: {command(work, 'inspect', 'Big:1')}")


PARTS = {"save": save, "list": list_thousand, "inspect": inspect_two_gib}


def main() -> None:
    for name in sys.argv[1:] or PARTS:
        with tempfile.TemporaryDirectory() as work:
            PARTS[name](Path(work))


if __name__ == "__main__":
    main()
