"""fastai learners, exported as a pickle in `<name>.pkl`: version 2, and version 1 for old bundles."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ._model import ModelArtifact, Reference
from ._registry import import_package

_WHOLE = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
MODEL = ".pkl"


class FastaiModelArtifact(ModelArtifact):
    """A `Learner` of fastai 2. (`bentoml.artifact.FastaiModelArtifact` means version 1, as in 0.13.)

    Args:
        name: name of the artifact.
    """

    REFERENCE = Reference(
        takes="`fastai.basics.Learner`", gives="the learner, on the CPU", files="`NAME.pkl`"
    )
    PIP = ("torch", "fastcore", "fastai>=2.0.0")

    def pack(self, model: Any, metadata: dict[str, Any] | None = None) -> FastaiModelArtifact:
        """Take a learner. Raises `InvalidArgument` for anything else."""
        if not isinstance(model, import_package("fastai.basics", self).Learner):
            raise self._refusal(model, "a fastai.basics.Learner")
        self._model = model
        return self

    def load(self, path: str) -> FastaiModelArtifact:
        learner = import_package("fastai.learner", self)
        return self.pack(learner.load_learner(self._found(path, MODEL)))

    def save(self, dst: str) -> None:
        # An absolute name is taken as it is; a relative one would land in the learner's own folder.
        self._model.export(fname=os.path.abspath(self._file(dst, MODEL)))


class Fastai1ModelArtifact(ModelArtifact):
    """A `Learner` of fastai 1.

    Args:
        name: name of the artifact.
    """

    REFERENCE = Reference(takes="`fastai.basic_train.Learner`", gives="the learner", files="`NAME.pkl`")
    PIP = ("torch", "fastai<2.0.0")

    def pack(self, model: Any, metadata: dict[str, Any] | None = None) -> Fastai1ModelArtifact:
        """Take a learner. Raises `InvalidArgument` for anything else."""
        if not isinstance(model, import_package("fastai.basic_train", self).Learner):
            raise self._refusal(model, "a fastai.basic_train.Learner")
        self._model = model
        return self

    def load(self, path: str) -> Fastai1ModelArtifact:
        train = import_package("fastai.basic_train", self)
        file = self._found(path, MODEL)
        with _whole_pickles():
            return self.pack(train.load_learner(path, file.name))

    def save(self, dst: str) -> None:
        self._model.export(os.path.abspath(self._file(dst, MODEL)))


@contextmanager
def _whole_pickles() -> Iterator[None]:
    """Let `torch.load`, which fastai 1 calls without saying so, read more than weights."""
    before = os.environ.get(_WHOLE)
    os.environ[_WHOLE] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_WHOLE]
        else:
            os.environ[_WHOLE] = before
