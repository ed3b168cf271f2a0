"""scikit-learn estimators (and anything else joblib can dump) in `<name>.pkl`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from bentoml.service.artifacts.base import BentoServiceArtifact

from ._registry import import_package

if TYPE_CHECKING:
    from bentoml.service.env import BentoServiceEnv

MODEL_EXTENSION = ".pkl"

# Mapping shares pages between workers, which pays for large arrays only; every mapped array keeps a
# file descriptor, so a forest of a thousand small trees must not be mapped.
MAP_FROM_BYTES = 32 * 1024 * 1024
MAX_MAPPED_ARRAYS = 128


class SklearnModelArtifact(BentoServiceArtifact):
    """A model stored with joblib.

    Args:
        name: name of the artifact.
        mmap_mode: `"auto"` maps large files into memory so that workers share them; `"r"` always
            does; None reads everything.
    """

    def __init__(self, name: str, mmap_mode: str | None = "auto") -> None:
        super().__init__(name)
        self._mmap_mode = mmap_mode
        self._model: Any = None

    def _file(self, directory: str) -> str:
        return os.path.join(directory, self.name + MODEL_EXTENSION)

    def pack(self, sklearn_model: Any, metadata: dict[str, Any] | None = None) -> SklearnModelArtifact:
        self._model = sklearn_model
        return self

    def load(self, path: str) -> SklearnModelArtifact:
        joblib = import_package("joblib", self)
        file = self._file(path)
        if self._mmap_mode != "auto":
            return self.pack(joblib.load(file, mmap_mode=self._mmap_mode))
        if os.path.getsize(file) < MAP_FROM_BYTES:
            return self.pack(joblib.load(file))
        before = _open_descriptors()
        model = joblib.load(file, mmap_mode="r")
        if _open_descriptors() - before > MAX_MAPPED_ARRAYS:
            model = joblib.load(file)
        return self.pack(model)

    def save(self, dst: str) -> None:
        import_package("joblib", self).dump(self._model, self._file(dst))

    def get(self) -> Any:
        return self._model

    def set_dependencies(self, env: BentoServiceEnv) -> None:
        if env.infer:
            env.add_pip_packages(["scikit-learn"])


def _open_descriptors() -> int:
    """How many files this process has open; 0 on systems that do not tell."""
    for directory in ("/proc/self/fd", "/dev/fd"):
        if os.path.isdir(directory):
            return len(os.listdir(directory))
    return 0
