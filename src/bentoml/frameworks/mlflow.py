"""Any MLflow model with the `python_function` flavor, as the directory `<name>/`."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bentoml.exceptions import InvalidArgument, NotFound

from ._model import ModelArtifact, Reference
from ._registry import import_package

if TYPE_CHECKING:
    from bentoml.service.env import BentoServiceEnv

DESCRIPTION = "MLmodel"
REQUIREMENTS = "requirements.txt"


class MlflowModelArtifact(ModelArtifact):
    """A directory written by `mlflow.<flavor>.save_model`, or an MLflow address.

    Args:
        name: name of the artifact.
    """

    REFERENCE = Reference(
        takes="a folder with `MLmodel`, or `models:/…`, `runs:/…`",
        gives="`mlflow.pyfunc.PyFuncModel`",
        files="`NAME/`",
    )

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._source = Path()

    def pack(self, model: Any, metadata: dict[str, Any] | None = None) -> MlflowModelArtifact:
        """Take the folder of a model, or fetch it by its MLflow address.

        Raises:
            InvalidArgument: another type.
            NotFound: no such folder or address, or no MLflow model in it.
        """
        if not isinstance(model, (str, os.PathLike)):
            raise self._refusal(model, "the folder or the address of an MLflow model")
        mlflow = import_package("mlflow", self)
        pyfunc = import_package("mlflow.pyfunc", self)
        address = os.fspath(model)
        if "://" in address or address.partition(":")[0] in {"models", "runs"}:
            try:
                address = mlflow.artifacts.download_artifacts(artifact_uri=address)
            except mlflow.exceptions.MlflowException as err:
                raise NotFound(f"MLflow has no model at '{model}': {err}") from err
        if not (Path(address) / DESCRIPTION).is_file():
            raise NotFound(f"'{address}' is not a folder written by MLflow: it has no file '{DESCRIPTION}'")
        try:
            self._model = pyfunc.load_model(address)
        except mlflow.exceptions.MlflowException as err:
            raise InvalidArgument(f"MLflow cannot load '{address}' as python_function: {err}") from err
        self._source = Path(address)
        return self

    def load(self, path: str) -> MlflowModelArtifact:
        import_package("mlflow", self)
        return self.pack(self._found(path, ""))

    def save(self, dst: str) -> None:
        shutil.copytree(self._source, self._file(dst, ""), dirs_exist_ok=True)

    def set_dependencies(self, env: BentoServiceEnv) -> None:
        """MLflow, and once a model is packed, what its own requirements.txt names."""
        if not env.infer:
            return
        env.add_pip_packages(["mlflow"])
        requirements = self._source / REQUIREMENTS
        if self._model is not None and requirements.is_file():
            lines = (line.strip() for line in requirements.read_text(encoding="utf-8").splitlines())
            env.add_pip_packages([line for line in lines if line and not line.startswith(("#", "-"))])
