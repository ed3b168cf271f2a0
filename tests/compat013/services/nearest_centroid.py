"""A classifier without a framework: its artifact is plain data, so any interpreter can open it."""
import bentoml
from bentoml.adapters import DataframeInput, JsonInput
from bentoml.service.artifacts.common import PickleArtifact


@bentoml.env(pip_packages=['numpy'])
@bentoml.artifacts([PickleArtifact('centroids')])
@bentoml.ver(major=2, minor=1)
class NearestCentroid(bentoml.BentoService):
    """# Nearest centroid

    Works on *iris*; the answer is the name of the closest centre.
    """

    def _closest(self, row):
        def distance(item):
            return sum((a - b) ** 2 for a, b in zip(item[1], row))

        return min(self.artifacts.centroids.items(), key=distance)[0]

    @bentoml.api(input=DataframeInput(), batch=True)
    def predict_df(self, df):
        return [self._closest(row) for row in df.values.tolist()]

    @bentoml.api(
        input=JsonInput(), batch=True, mb_max_batch_size=1000, mb_max_latency=10000
    )
    def predict(self, rows):
        return [self._closest(row) for row in rows]
