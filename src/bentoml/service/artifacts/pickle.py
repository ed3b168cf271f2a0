"""Any picklable object. cloudpickle by default, so that classes and lambdas of a script go along."""

from __future__ import annotations

import importlib
import os
from types import ModuleType
from typing import Any

from bentoml.exceptions import InvalidArgument, MissingDependencyException

from .base import BentoServiceArtifact

PICKLE_EXTENSION = ".pkl"


class PickleArtifact(BentoServiceArtifact):
    """An object stored with pickle in `<name>.pkl`.

    Args:
        name: name of the artifact.
        pickle_module: a module with `dump` and `load`, or its name; cloudpickle when None.
    """

    def __init__(self, name: str, pickle_module: ModuleType | str | None = None) -> None:
        super().__init__(name)
        self._pickle_module = pickle_module
        self._obj: Any = None

    @property
    def pickle(self) -> Any:
        """The pickle module, imported now if it was given by name."""
        module = self._pickle_module
        if module is not None and not isinstance(module, str):
            return module
        module_name = module or "cloudpickle"
        try:
            return importlib.import_module(module_name)
        except ModuleNotFoundError as err:
            if (err.name or "").split(".")[0] != module_name.split(".")[0]:
                raise
            raise MissingDependencyException(
                f"Artifact '{self.name}' is pickled with the module '{module_name}', which is not "
                f"installed. Install it with: pip install {module_name.split('.')[0]}"
            ) from err

    def _file(self, directory: str) -> str:
        return os.path.join(directory, self.name + PICKLE_EXTENSION)

    def pack(self, obj: Any, metadata: dict[str, Any] | None = None) -> PickleArtifact:
        self._obj = obj
        return self

    def load(self, path: str) -> PickleArtifact:
        with open(self._file(path), "rb") as file:
            obj = self.pickle.load(file)
        return self.pack(obj)

    def save(self, dst: str) -> None:
        try:
            with open(self._file(dst), "wb") as file:
                self.pickle.dump(self._obj, file)
        except (TypeError, AttributeError) as err:
            raise InvalidArgument(
                f"Artifact '{self.name}' holds a {type(self._obj).__name__} that cannot be pickled: {err}"
            ) from err

    def get(self) -> Any:
        return self._obj
