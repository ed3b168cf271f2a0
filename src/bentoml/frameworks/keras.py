"""Keras models in `<name>.keras`, whose safe mode runs no stored code; 0.13's HDF5 files are read."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bentoml.exceptions import InvalidArgument

from ._model import ModelArtifact, Reference
from ._registry import import_package, missing

if TYPE_CHECKING:
    from bentoml.service.env import BentoServiceEnv

MODEL = ".keras"
HDF5 = ".h5"
STRUCTURE = "_json.json"
WEIGHTS = ".weights.h5"
OLD_WEIGHTS = "_weights.hdf5"
CUSTOM_OBJECTS = "_custom_objects.pkl"
MODULE_NAME = "_keras_module_name.txt"
MODULES = ("keras", "tensorflow.keras", "tf_keras")


class KerasModelArtifact(ModelArtifact):
    """A Keras model, for any backend.

    Args:
        name: name of the artifact.
        default_custom_objects: custom classes and functions by name, used when none are packed.
        store_as_json_and_weights: keep the structure as JSON beside the weights.
        safe_mode: refuse models with lambdas in them, which would run code from the file.
    """

    REFERENCE = Reference(
        takes='`keras.Model`, or `{"model": …, "custom_objects": {…}}`',
        gives="the model",
        files="`NAME.keras`, or `NAME_json.json` and `NAME.weights.h5`; `NAME_custom_objects.pkl`, "
        "`NAME_keras_module_name.txt`; reads `NAME.h5` and `NAME_weights.hdf5`",
    )
    PIP = ("keras", "tensorflow")

    def __init__(
        self,
        name: str,
        default_custom_objects: dict[str, Any] | None = None,
        store_as_json_and_weights: bool = False,
        safe_mode: bool = True,
    ) -> None:
        super().__init__(name)
        self._default_custom_objects = default_custom_objects
        self._as_json = store_as_json_and_weights
        self._safe_mode = safe_mode
        self._custom_objects: dict[str, Any] | None = None

    def pack(self, data: Any, metadata: dict[str, Any] | None = None) -> KerasModelArtifact:
        """Take a model, alone or with its custom objects. Raises `InvalidArgument` for anything else."""
        model, custom_objects = data, self._default_custom_objects
        if isinstance(data, dict):
            model, custom_objects = data.get("model"), data.get("custom_objects") or custom_objects
        if not any(
            base.__name__ == "Model" and "keras" in base.__module__.split(".") for base in type(model).__mro__
        ):
            raise self._refusal(model, "a keras.Model, alone or under the key 'model' of a dictionary")
        self._model, self._custom_objects = model, custom_objects
        return self

    def load(self, path: str) -> KerasModelArtifact:
        keras = self._keras(self._file(path, MODULE_NAME))
        custom_objects = self._read_custom_objects(path)
        if (structure := self._file(path, STRUCTURE)).is_file():
            text = structure.read_text(encoding="utf-8")
            model = keras.models.model_from_json(text, custom_objects=custom_objects)
            model.load_weights(str(self._found(path, WEIGHTS, OLD_WEIGHTS)))
        else:
            options = {"safe_mode": self._safe_mode} if _version(keras) >= 3 else {}
            file = str(self._found(path, MODEL, HDF5))
            model = keras.models.load_model(file, custom_objects=custom_objects, compile=False, **options)
        return self.pack({"model": model, "custom_objects": custom_objects})

    def save(self, dst: str) -> None:
        module_name = next((m for m in MODULES if _owns(m, self._model)), MODULES[0])
        self._file(dst, MODULE_NAME).write_text(module_name, encoding="utf-8")
        if self._custom_objects:
            import cloudpickle  # noqa: PLC0415 - authoring reads the standard library only

            with open(self._file(dst, CUSTOM_OBJECTS), "wb") as file:
                cloudpickle.dump(self._custom_objects, file)
        if self._as_json:
            self._file(dst, STRUCTURE).write_text(self._model.to_json(), encoding="utf-8")
            self._model.save_weights(str(self._file(dst, WEIGHTS)))
        else:
            self._model.save(str(self._file(dst, MODEL)))

    def _keras(self, named: Path) -> Any:
        """The Keras that wrote the model, else the one that is installed."""
        wrote = named.read_text(encoding="utf-8").strip() if named.is_file() else ""
        if wrote and wrote not in MODULES:
            raise InvalidArgument(f"'{named.name}' names '{wrote}', which is none of {', '.join(MODULES)}")
        for module_name in dict.fromkeys((wrote or MODULES[0], *MODULES)):
            try:
                return importlib.import_module(module_name)
            except ModuleNotFoundError as err:
                if (err.name or "").partition(".")[0] not in {"keras", "tf_keras", "tensorflow"}:
                    raise
        raise missing("keras", self)

    def _read_custom_objects(self, path: str) -> dict[str, Any] | None:
        file = self._file(path, CUSTOM_OBJECTS)
        if not file.is_file():
            return self._default_custom_objects
        with open(file, "rb") as stream:
            loaded: dict[str, Any] = import_package("cloudpickle", self).load(stream)
        return loaded

    def set_dependencies(self, env: BentoServiceEnv) -> None:
        """Keras, and the backend that is in use."""
        if env.infer:
            keras = sys.modules.get("keras") if self._model is not None else None
            env.add_pip_packages(["keras", keras.backend.backend() if keras else "tensorflow"])


def _owns(module_name: str, model: Any) -> bool:
    package = "keras" if module_name == "tensorflow.keras" else module_name
    return any(base.__module__.partition(".")[0] == package for base in type(model).__mro__)


def _version(keras: Any) -> int:
    return int(str(getattr(keras, "__version__", "2")).partition(".")[0])
