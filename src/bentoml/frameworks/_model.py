"""What the framework artifacts have in common, so that each file says only what is special about it."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from bentoml.exceptions import InvalidArgument
from bentoml.service.artifacts.base import BentoServiceArtifact

if TYPE_CHECKING:
    from bentoml.service.env import BentoServiceEnv


@dataclass(frozen=True, slots=True)
class Reference:
    """One row of docs/frameworks.md, in Markdown; `NAME` stands for the artifact's name."""

    takes: str
    gives: str
    files: str


class ModelArtifact(BentoServiceArtifact):
    """An artifact that keeps one object and needs its framework's packages.

    Args:
        name: name of the artifact.
    """

    REFERENCE: ClassVar[Reference]
    PIP: ClassVar[tuple[str, ...]] = ()
    """Packages that `infer_pip_packages=True` adds."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._model: Any = None

    def get(self) -> Any:
        return self._model

    def set_dependencies(self, env: BentoServiceEnv) -> None:
        if env.infer:
            env.add_pip_packages(self.PIP)

    def _file(self, directory: str, suffix: str) -> Path:
        return Path(directory) / (self.name + suffix)

    def _found(self, directory: str, *suffixes: str) -> Path:
        """The first of these files that exists. Raises `FileNotFoundError` naming the first."""
        files = [self._file(directory, suffix) for suffix in suffixes]
        found = next((file for file in files if file.exists()), None)
        if found is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(files[0]))
        return found

    def _refusal(self, model: Any, expected: str) -> InvalidArgument:
        shown = f"'{model}'" if isinstance(model, (str, os.PathLike)) else f"a {type(model).__name__}"
        return InvalidArgument(
            f"{type(self).__name__} can only pack {expected}, not {shown} (artifact '{self.name}')"
        )
