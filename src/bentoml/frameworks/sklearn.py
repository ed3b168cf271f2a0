"""scikit-learn estimators: with joblib in `<name>.pkl`, or with skops in `<name>.skops`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from bentoml.exceptions import ArtifactLoadingException, InvalidArgument
from bentoml.service.artifacts.base import BentoServiceArtifact

from ._model import Reference
from ._registry import import_package

if TYPE_CHECKING:
    from bentoml.service.env import BentoServiceEnv

MODEL_EXTENSION = ".pkl"
SKOPS_EXTENSION = ".skops"

# Mapping shares pages between workers, which pays for large arrays only; every mapped array keeps a
# file descriptor, so a forest of a thousand small trees must not be mapped.
MAP_FROM_BYTES = 32 * 1024 * 1024
MAX_MAPPED_ARRAYS = 128


class SklearnModelArtifact(BentoServiceArtifact):
    """A model stored with joblib, or with skops.

    A joblib file is a pickle, which takes any object. A skops file is loaded without running code
    from it: every type in it that skops does not know as safe must be named in `trusted`.

    Args:
        name: name of the artifact.
        mmap_mode: `"auto"` maps large files into memory so that workers share them; `"r"` always
            does; None reads everything. For joblib only.
        file_format: `"joblib"` or `"skops"`.
        trusted: full names of further types a skops file may hold, such as `"my_module.MyScaler"`.

    Raises:
        InvalidArgument: another format.
    """

    REFERENCE = Reference(
        takes="scikit-learn estimators and pipelines, anything joblib can store",
        gives="the object; large arrays are mapped into memory",
        files='`NAME.pkl` (joblib); `NAME.skops` with `file_format="skops"`',
    )

    def __init__(
        self,
        name: str,
        mmap_mode: str | None = "auto",
        file_format: Literal["joblib", "skops"] = "joblib",
        trusted: Sequence[str] = (),
    ) -> None:
        super().__init__(name)
        if file_format not in {"joblib", "skops"}:
            raise InvalidArgument(
                f"file_format of SklearnModelArtifact is 'joblib' or 'skops', not {file_format!r}"
            )
        self._mmap_mode = mmap_mode
        self._is_skops = file_format == "skops"
        self._trusted = set(trusted)
        self._model: Any = None

    def _file(self, directory: str) -> str:
        return os.path.join(directory, self.name + (SKOPS_EXTENSION if self._is_skops else MODEL_EXTENSION))

    def pack(self, sklearn_model: Any, metadata: dict[str, Any] | None = None) -> SklearnModelArtifact:
        self._model = sklearn_model
        return self

    def load(self, path: str) -> SklearnModelArtifact:
        file = self._file(path)
        if self._is_skops:
            return self.pack(self._load_skops(file))
        joblib = import_package("joblib", self)
        if self._mmap_mode != "auto":
            return self.pack(joblib.load(file, mmap_mode=self._mmap_mode))
        if os.path.getsize(file) < MAP_FROM_BYTES:
            return self.pack(joblib.load(file))
        before = _open_descriptors()
        model = joblib.load(file, mmap_mode="r")
        if _open_descriptors() - before > MAX_MAPPED_ARRAYS:
            model = joblib.load(file)
        return self.pack(model)

    def _load_skops(self, file: str) -> Any:
        skops = import_package("skops.io", self)
        unknown = sorted(set(skops.get_untrusted_types(file=file)) - self._trusted)
        if unknown:
            raise ArtifactLoadingException(
                f"'{os.path.basename(file)}' holds types that are not known as safe: {', '.join(unknown)}. "
                f"If you trust them, name them: SklearnModelArtifact('{self.name}', file_format='skops', "
                "trusted=[...])"
            )
        return skops.load(file, trusted=sorted(self._trusted))

    def save(self, dst: str) -> None:
        if self._is_skops:
            import_package("skops.io", self).dump(self._model, self._file(dst))
        else:
            import_package("joblib", self).dump(self._model, self._file(dst))

    def get(self) -> Any:
        return self._model

    def set_dependencies(self, env: BentoServiceEnv) -> None:
        if env.infer:
            env.add_pip_packages(["scikit-learn", *(["skops"] if self._is_skops else [])])


def _open_descriptors() -> int:
    """How many files this process has open; 0 on systems that do not tell."""
    for directory in ("/proc/self/fd", "/dev/fd"):
        if os.path.isdir(directory):
            return len(os.listdir(directory))
    return 0
