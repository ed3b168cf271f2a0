"""The inputs and the saved services of the benchmark, made once in a folder."""

from __future__ import annotations

import sys
from pathlib import Path

import joblib
import numpy
import pyarrow as pa
from pyarrow import parquet
from sklearn.ensemble import RandomForestClassifier

COLUMNS = ["a", "b", "c", "d"]
GROUP_ROWS = 1_000_000
SERVICE = """
import bentoml
from bentoml.adapters import DataframeInput
from bentoml.frameworks.sklearn import SklearnModelArtifact


@bentoml.env(infer_pip_packages=True)
@bentoml.artifacts([SklearnModelArtifact("model")])
class Forest(bentoml.BentoService):
    @bentoml.api(input=DataframeInput(columns=["a", "b", "c", "d"]), batch=True)
    def predict(self, frame):
        return self.artifacts.model.predict(frame)
"""


def make_forest(folder: Path, trees: int) -> Path:
    """A forest of `trees` trees of depth 8, as `model.joblib` and as a saved service in `bundle`."""
    home = folder / f"forest-{trees}"
    if (home / "bundle").is_dir():
        return home
    home.mkdir(parents=True)
    generator = numpy.random.default_rng(0)
    rows = generator.random((20_000, len(COLUMNS)))
    model = RandomForestClassifier(trees, max_depth=8, random_state=0).fit(rows, rows.sum(axis=1) > 2)
    joblib.dump(model, home / "model.joblib")
    (home / "forest_service.py").write_text(SERVICE)
    sys.path.insert(0, str(home))
    from forest_service import Forest  # type: ignore[import-not-found]

    service = Forest()
    service.pack("model", model)
    (home / "bundle").mkdir()
    service.save_to_dir(str(home / "bundle"))
    sys.path.remove(str(home))
    del sys.modules["forest_service"]
    return home


def make_parquet(folder: Path, rows: int) -> Path:
    """Four columns of random doubles in row groups of a million."""
    path = folder / f"in-{rows}.parquet"
    if not path.exists():
        generator = numpy.random.default_rng(1)
        schema = pa.schema([(name, pa.float64()) for name in COLUMNS])
        with parquet.ParquetWriter(path, schema) as writer:
            for first in range(0, rows, GROUP_ROWS):
                count = min(GROUP_ROWS, rows - first)
                writer.write_table(pa.table({name: generator.random(count) for name in COLUMNS}))
    return path


def make_jsonl(folder: Path, rows: int) -> Path:
    """The same, as one JSON object per line."""
    path = folder / f"in-{rows}.jsonl"
    if not path.exists():
        frame = parquet.read_table(make_parquet(folder, rows)).to_pandas()
        frame.to_json(path, orient="records", lines=True)
    return path
