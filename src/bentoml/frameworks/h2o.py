"""H2O models in the file `<name>`; a Java server, started when needed, holds and runs them."""

from __future__ import annotations

import os
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ._model import ModelArtifact, Reference
from ._registry import import_package

if TYPE_CHECKING:
    from bentoml.service.env import BentoServiceEnv


class H2oModelArtifact(ModelArtifact):
    """An H2O model. The file opens only in the H2O version that wrote it.

    Args:
        name: name of the artifact.
    """

    REFERENCE = Reference(takes="an H2O estimator", gives="the model, after `h2o.init()`", files="`NAME`")
    PIP = ("h2o",)

    def pack(self, model: Any, metadata: dict[str, Any] | None = None) -> H2oModelArtifact:
        """Take a trained model. Raises `InvalidArgument` for anything else."""
        if not isinstance(model, import_package("h2o.model", self).ModelBase):
            raise self._refusal(model, "an H2O model")
        self._model = model
        return self

    def load(self, path: str) -> H2oModelArtifact:
        h2o = import_package("h2o", self)
        file = self._found(path, "")
        h2o.init()
        return self.pack(h2o.load_model(os.path.abspath(file)))

    def save(self, dst: str) -> None:
        h2o = import_package("h2o", self)
        with TemporaryDirectory(dir=dst) as scratch:  # H2O names the file after the model's id
            written = h2o.save_model(model=self._model, path=os.path.abspath(scratch), force=True)
            os.replace(written, self._file(dst, ""))

    def set_dependencies(self, env: BentoServiceEnv) -> None:
        super().set_dependencies(env)
        env.add_conda_dependencies(["openjdk"])
