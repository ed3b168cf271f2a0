"""Any MLflow model with the `python_function` flavor, as the directory `<name>/`."""

from __future__ import annotations

import importlib.metadata
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
WHOLE, SKINNY = "mlflow", "mlflow-skinny"


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
        source = fetched(model, self)
        if not (source / DESCRIPTION).is_file():
            raise NotFound(f"'{source}' is not a folder written by MLflow: it has no file '{DESCRIPTION}'")
        try:
            self._model = pyfunc.load_model(str(source))
        except mlflow.exceptions.MlflowException as err:
            raise InvalidArgument(f"MLflow cannot load '{source}' as python_function: {err}") from err
        self._source = source
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
        env.add_pip_packages([_distribution()])
        requirements = self._source / REQUIREMENTS
        if self._model is not None and requirements.is_file():
            lines = (line.strip() for line in requirements.read_text(encoding="utf-8").splitlines())
            env.add_pip_packages([line for line in lines if line and not line.startswith(("#", "-"))])


def fetched(address: str | os.PathLike[str], artifact: MlflowModelArtifact) -> Path:
    """The directory of a model, downloaded first if `address` is one of MLflow's.

    Raises:
        NotFound: MLflow has no model there.
        MissingDependencyException: MLflow is not installed.
    """
    text = os.fspath(address)
    if "://" not in text and text.partition(":")[0] not in {"models", "runs"}:
        return Path(text)
    mlflow = import_package("mlflow", artifact)
    try:
        return Path(mlflow.artifacts.download_artifacts(artifact_uri=text))
    except mlflow.exceptions.MlflowException as err:
        raise NotFound(f"MLflow has no model at '{text}': {err}") from err


def _distribution() -> str:
    """`mlflow-skinny` where only that is installed; it loads and calls models as the whole does."""
    for name in (WHOLE, SKINNY):
        try:
            importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        return name
    return WHOLE
