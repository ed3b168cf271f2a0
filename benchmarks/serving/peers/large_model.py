"""A model of a given size: `python large_model.py KIND MIB DIRECTORY` writes the bundle.

KIND is numpy, neighbours, forest (both of scikit-learn), torch or safetensors.
"""

import os
import sys

import numpy

import bentoml
from bentoml.adapters import JsonInput
from bentoml.frameworks.pytorch import PytorchModelArtifact
from bentoml.frameworks.safetensors import SafetensorsModelArtifact
from bentoml.frameworks.sklearn import SklearnModelArtifact

MIB = 1 << 20


class Nearest:
    """Answers with the row of a large table that is nearest to a part of it."""

    def __init__(self, table):
        self.table = table
        self.total = None

    def predict(self, rows):
        if self.total is None:  # every page is read once, as a real search would
            self.total = float(self.table.sum())
        part = self.table[:1000]
        return [int(numpy.abs(part - numpy.asarray(row)).sum(1).argmin()) for row in rows]


def make_forest(mib):
    from sklearn.ensemble import RandomForestRegressor

    source = numpy.random.default_rng(0)
    features, values = source.normal(size=(100_000, 4)), source.normal(size=100_000)
    one = RandomForestRegressor(n_estimators=1, random_state=0, n_jobs=1).fit(features, values)
    bytes_per_tree = one.estimators_[0].tree_.__getstate__()["nodes"].nbytes
    count = max(1, mib * MIB // bytes_per_tree)
    one.estimators_ = [one.estimators_[0]] + [
        RandomForestRegressor(n_estimators=1, random_state=i).fit(features, values).estimators_[0]
        for i in range(1, count)
    ]
    one.n_estimators = count
    return one


def make_neighbours(mib):
    """Brute force over a table of 64 columns: every prediction reads all of it."""
    from sklearn.neighbors import KNeighborsRegressor

    table = numpy.random.default_rng(0).normal(size=(mib * MIB // 8 // 64, 64))
    return KNeighborsRegressor(1, algorithm="brute").fit(table, table[:, 0].copy())


class TorchTable:
    @staticmethod
    def make(mib):
        import torch

        return torch.nn.Sequential(
            torch.nn.Linear(4, 1024), torch.nn.Linear(1024, mib * MIB // 4 // 1024)
        ).eval()


@bentoml.artifacts([SklearnModelArtifact("model")])
class Large(bentoml.BentoService):
    @bentoml.api(input=JsonInput(), batch=True, mb_max_latency=60000)
    def predict(self, rows):
        model = self.artifacts.model
        width = getattr(model, "n_features_in_", 4)
        return [float(value) for value in model.predict([numpy.resize(row, width) for row in rows])]


@bentoml.artifacts([PytorchModelArtifact("model")])
class LargeTorch(bentoml.BentoService):
    @bentoml.api(input=JsonInput(), batch=True, mb_max_latency=60000)
    def predict(self, rows):
        import torch

        with torch.inference_mode():
            return self.artifacts.model(torch.tensor(rows)).argmax(1).tolist()


def make_network():
    """As large as the environment says; the weights come from the artifact's file."""
    return TorchTable.make(int(os.environ.get("LARGE_MODEL_MIB", "500")))


@bentoml.artifacts([SafetensorsModelArtifact("model", module=make_network)])
class LargeSafetensors(LargeTorch):
    pass


if __name__ == "__main__":
    import large_model

    kind, mib, target = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    if kind in ("torch", "safetensors"):
        service = large_model.LargeTorch() if kind == "torch" else large_model.LargeSafetensors()
        service.pack("model", TorchTable.make(mib))
    else:
        service = large_model.Large()
        if kind == "numpy":
            table = numpy.random.default_rng(0).normal(size=(mib * MIB // 32, 4))
            service.pack("model", large_model.Nearest(table))
        else:
            service.pack("model", make_neighbours(mib) if kind == "neighbours" else make_forest(mib))
    service.save_to_dir(target)
