"""Saving, listing and inspecting bundles: seconds, the best of a few runs.

    python -m benchmarks.micro.bundles            # save, list of 1,000, inspect of 2 GiB
    python -m benchmarks.micro.bundles save list  # some of them

`save` is the iris service with everything: files, digests, fsync, the import check in a clean interpreter.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from time import perf_counter

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
import time
from sklearn.datasets import load_iris
from sklearn.svm import SVC
from iris import IrisClassifier
x, y = load_iris(return_X_y=True)
model = SVC(gamma="scale").fit(x, y)
for _ in range(4):
    started = time.perf_counter()
    service = IrisClassifier()
    service.pack("model", model)
    service.save()
    print("SECONDS", time.perf_counter() - started)
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
    import time
    service = Big().pack("model", bytes(int(sys.argv[1])))
    started = time.perf_counter()
    service.save(version="1")
    print("SECONDS", time.perf_counter() - started)
"""


def run(work: Path, code: str, *arguments: str) -> list[float]:
    """Seconds that the script printed."""
    env = {**os.environ, "BENTOML_HOME": str(work / "home")}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=work,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    return [float(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("SECONDS")]


def command(work: Path, *arguments: str) -> float:
    """Seconds of a whole `bentoml` command, the best of three."""
    env = {**os.environ, "BENTOML_HOME": str(work / "home")}
    times = []
    for _ in range(3):
        started = perf_counter()
        subprocess.run(
            [sys.executable, "-m", "bentoml", *arguments], env=env, check=True, capture_output=True
        )
        times.append(perf_counter() - started)
    return min(times)


def save(work: Path) -> None:
    (work / "iris.py").write_text(SERVICE)
    first, *others = run(work, SAVE)
    print(f"save of iris, first in the process {first:.2f} s, later {min(others):.2f} s")


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
    run(work, textwrap.dedent(script))
    print(f"bentoml list --limit 1000: {command(work, 'list', '--limit', '1000'):.2f} s")


def inspect_two_gib(work: Path) -> None:
    (work / "big.py").write_text(BIG_SERVICE)
    env = {**os.environ, "BENTOML_HOME": str(work / "home")}
    done = subprocess.run(
        [sys.executable, "big.py", str(BIG)], cwd=work, env=env, capture_output=True, text=True, check=True
    )
    print("save of 2 GiB:", next(line for line in done.stdout.splitlines() if line.startswith("SECONDS")))
    print(f"inspect of 2 GiB, no hashing: {command(work, 'inspect', 'Big:1', '--skip-hashing'):.2f} s")
    print(f"inspect of 2 GiB, hashing: {command(work, 'inspect', 'Big:1'):.2f} s")


PARTS = {"save": save, "list": list_thousand, "inspect": inspect_two_gib}


def main() -> None:
    for name in sys.argv[1:] or PARTS:
        with tempfile.TemporaryDirectory() as work:
            PARTS[name](Path(work))


if __name__ == "__main__":
    main()
