"""CatBoost models in CatBoost's binary format, which runs no code when it is loaded."""

from __future__ import annotations

from typing import Any

from bentoml.exceptions import InvalidArgument

from ._model import ModelArtifact, Reference
from ._registry import import_package
from .class_names import read_class, write_class

MODEL = ".cbm"
CLASS_FILE = "_class.json"


class CatBoostModelArtifact(ModelArtifact):
    """A fitted CatBoost model of any class.

    Args:
        name: name of the artifact.
    """

    REFERENCE = Reference(
        takes="fitted `CatBoost`, `CatBoostClassifier`, `CatBoostRegressor`, `CatBoostRanker`",
        gives="an object of the same class",
        files="`NAME.cbm`, `NAME_class.json`",
    )
    PIP = ("catboost",)

    def pack(self, model: Any, metadata: dict[str, Any] | None = None) -> CatBoostModelArtifact:
        """Take a fitted model. Raises `InvalidArgument` for anything else."""
        catboost = import_package("catboost", self)
        if not isinstance(model, catboost.CatBoost):
            raise self._refusal(model, "a CatBoost model")
        if not model.is_fitted():
            raise InvalidArgument(
                f"The {type(model).__name__} packed as '{self.name}' is not fitted; call fit()"
            )
        self._model = model
        return self

    def load(self, path: str) -> CatBoostModelArtifact:
        catboost = import_package("catboost", self)
        file, class_file = self._found(path, MODEL), self._file(path, CLASS_FILE)
        cls = read_class(class_file)[0] if class_file.is_file() else catboost.CatBoost
        return self.pack(cls().load_model(str(file), format="cbm"))

    def save(self, dst: str) -> None:
        self._model.save_model(str(self._file(dst, MODEL)), format="cbm")
        write_class(self._file(dst, CLASS_FILE), type(self._model))
