"""XGBoost boosters and their scikit-learn classes, in XGBoost's own safe formats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from bentoml.exceptions import InvalidArgument

from ._model import ModelArtifact, Reference
from ._registry import import_package
from .class_names import read_class, write_class

if TYPE_CHECKING:
    from bentoml.service.env import BentoServiceEnv

CLASS_FILE = "_class.json"
OLD = ".model"  # 0.13's; XGBoost 3.1 and later read it only if it was written in UBJSON or JSON


class XgboostModelArtifact(ModelArtifact):
    """A `Booster`, or a fitted model of the scikit-learn API.

    Args:
        name: name of the artifact.
        file_format: `"ubj"` (small, fast) or `"json"` (readable).

    Raises:
        InvalidArgument: another format.
    """

    REFERENCE = Reference(
        takes="`Booster`; fitted `XGBClassifier`, `XGBRegressor`, `XGBRanker` and the like",
        gives="an object of the same class",
        files="`NAME.ubj` or `NAME.json`; `NAME_class.json` for scikit-learn classes; reads `NAME.model`",
    )
    PIP = ("xgboost",)

    def __init__(self, name: str, file_format: Literal["ubj", "json"] = "ubj") -> None:
        super().__init__(name)
        if file_format not in {"ubj", "json"}:
            raise InvalidArgument(
                f"file_format of XgboostModelArtifact is 'ubj' or 'json', not {file_format!r}"
            )
        self._suffix = "." + file_format

    def pack(self, model: Any, metadata: dict[str, Any] | None = None) -> XgboostModelArtifact:
        """Take a booster or a fitted estimator. Raises `InvalidArgument` for anything else."""
        xgboost = import_package("xgboost", self)
        if not isinstance(model, (xgboost.Booster, xgboost.XGBModel)):
            raise self._refusal(model, "an xgboost.Booster or a model of XGBoost's scikit-learn API")
        if isinstance(model, xgboost.XGBModel) and not model.__sklearn_is_fitted__():
            raise InvalidArgument(
                f"The {type(model).__name__} packed as '{self.name}' is not fitted; call fit()"
            )
        self._model = model
        return self

    def load(self, path: str) -> XgboostModelArtifact:
        xgboost = import_package("xgboost", self)
        file = self._found(path, self._suffix, ".ubj", ".json", OLD)
        class_file = self._file(path, CLASS_FILE)
        if class_file.is_file():
            cls, parameters = read_class(class_file)
            model = cls(**parameters)
            model.load_model(str(file))
        else:
            model = xgboost.Booster(model_file=str(file))
        return self.pack(model)

    def save(self, dst: str) -> None:
        xgboost = import_package("xgboost", self)
        self._model.save_model(str(self._file(dst, self._suffix)))
        if isinstance(self._model, xgboost.XGBModel):
            write_class(self._file(dst, CLASS_FILE), type(self._model), self._model.get_params(deep=False))

    def set_dependencies(self, env: BentoServiceEnv) -> None:
        super().set_dependencies(env)
        if env.infer and hasattr(self._model, "get_booster"):
            env.add_pip_packages(["scikit-learn"])
