"""LightGBM boosters as text; models of its scikit-learn API, which has no format of its own, with joblib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bentoml.exceptions import InvalidArgument

from ._model import ModelArtifact, Reference
from ._registry import import_package

if TYPE_CHECKING:
    from bentoml.service.env import BentoServiceEnv

BOOSTER = ".txt"
ESTIMATOR = ".pkl"


class LightGBMModelArtifact(ModelArtifact):
    """A `Booster`, or a fitted model of the scikit-learn API.

    Pack `model.booster_` to keep a scikit-learn model in the text format, which runs no code when it
    is loaded; its `predict` then gives probabilities instead of labels.

    Args:
        name: name of the artifact.
    """

    REFERENCE = Reference(
        takes="`Booster`; fitted `LGBMClassifier`, `LGBMRegressor`, `LGBMRanker`",
        gives="an object of the same class",
        files="`NAME.txt`; `NAME.pkl` (joblib) for scikit-learn classes",
    )
    PIP = ("lightgbm",)

    def pack(self, model: Any, metadata: dict[str, Any] | None = None) -> LightGBMModelArtifact:
        """Take a booster or a fitted estimator. Raises `InvalidArgument` for anything else."""
        lightgbm = import_package("lightgbm", self)
        if not isinstance(model, (lightgbm.Booster, lightgbm.LGBMModel)):
            raise self._refusal(model, "a lightgbm.Booster or a model of LightGBM's scikit-learn API")
        if isinstance(model, lightgbm.LGBMModel) and not model.__sklearn_is_fitted__():
            raise InvalidArgument(
                f"The {type(model).__name__} packed as '{self.name}' is not fitted; call fit()"
            )
        self._model = model
        return self

    def load(self, path: str) -> LightGBMModelArtifact:
        lightgbm = import_package("lightgbm", self)
        file = self._found(path, BOOSTER, ESTIMATOR)
        if file.suffix == ESTIMATOR:
            return self.pack(import_package("joblib", self).load(file))
        return self.pack(lightgbm.Booster(model_file=str(file)))

    def save(self, dst: str) -> None:
        lightgbm = import_package("lightgbm", self)
        if isinstance(self._model, lightgbm.Booster):
            self._model.save_model(str(self._file(dst, BOOSTER)))
        else:
            import_package("joblib", self).dump(self._model, self._file(dst, ESTIMATOR))

    def set_dependencies(self, env: BentoServiceEnv) -> None:
        super().set_dependencies(env)
        if env.infer and hasattr(self._model, "booster_"):
            env.add_pip_packages(["scikit-learn"])
