"""An MLflow model becomes a saved service."""

from __future__ import annotations

import importlib.util
import keyword
import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bentoml.exceptions import BentoMLException, InvalidArgument
from bentoml.frameworks.mlflow import MlflowModelArtifact, fetched
from bentoml.service.saving import recorded
from bentoml.tags import validate_service_name

from .mlflow_model import MlflowModel, read_model
from .mlflow_service import API, ARTIFACT, source_of_service

if TYPE_CHECKING:
    from bentoml.service import BentoService

logger = logging.getLogger("bentoml")
_MODULE = "mlflow_service"
_DEFAULT_NAME = "MlflowModel"
_TAKEN = {"bentoml", "np", "MlflowModelArtifact", "DataframeInput", "JsonInput", "NdarrayInput"}


def import_mlflow(
    source: str | os.PathLike[str],
    name: str | None = None,
    *,
    version: str | None = None,
    labels: Mapping[str, str] | None = None,
    yatai_url: str | None = None,
) -> str:
    """Save an MLflow model as a service with one API, `predict`.

    The API follows the model's signature; an input example of the model is kept with its answer, so
    that `bentoml verify` can compare them later.

    Args:
        source: the directory of a model with the `python_function` flavor, or an MLflow address
            (`models:/churn/3`, `runs:/…`).
        name: of the service; by default made from the directory's name.
        version: of the bundle; by default a new one.
        labels: names and values stored with the bundle.
        yatai_url: a server to save to instead of the local repository.

    Returns:
        Where the bundle lies.

    Raises:
        NotFound: no MLflow model there.
        InvalidArgument: the model has no `python_function` flavor, MLflow cannot load it, or `name`
            is no name of a class.
        MissingDependencyException: MLflow is not installed.
    """
    directory = fetched(source, MlflowModelArtifact(ARTIFACT))
    model = read_model(directory)
    class_name = name or _name_from(os.fspath(source))
    _check_name(class_name)
    with _service(class_name, model) as service:
        service.pack(ARTIFACT, str(directory))
        with _with_example(service):
            return service.save(yatai_url, version, labels)


def _check_name(name: str) -> None:
    validate_service_name(name)
    if keyword.iskeyword(name) or name in _TAKEN:
        raise InvalidArgument(f"'{name}' cannot be the name of the service's class; give another name")


def _name_from(source: str) -> str:
    """`models/churn-model` gives `ChurnModel`; what leaves no name gives `MlflowModel`."""
    last = re.split(r"[/\\:]", source.rstrip("/\\"))[-1]
    name = "".join(word[:1].upper() + word[1:] for word in re.findall(r"[A-Za-z0-9]+", last))
    return name if name[:1].isalpha() else _DEFAULT_NAME


@contextmanager
def _with_example(service: BentoService) -> Iterator[None]:
    """Inside, the service is saved with the model's example, unless the model does not answer it."""
    example = service.get_inference_api(API).example
    with ExitStack() as stack:
        try:
            stack.enter_context(recorded(service, None if example is None else {API: [example]}))
        except BentoMLException as err:
            logger.warning("The model's input example is left out: %s", err)
        yield


@contextmanager
def _service(name: str, model: MlflowModel) -> Iterator[BentoService]:
    """An instance of the class written for the model; its file exists until the block ends."""
    with tempfile.TemporaryDirectory(prefix="bentoml-mlflow-") as folder:
        file = Path(folder) / f"{_MODULE}.py"
        file.write_text(source_of_service(name, model), "utf-8")
        spec = importlib.util.spec_from_file_location(_MODULE, file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        before = sys.modules.get(_MODULE)
        sys.modules[_MODULE] = module
        try:
            spec.loader.exec_module(module)
            yield getattr(module, name)()
        finally:
            sys.modules.pop(_MODULE)
            if before is not None:
                sys.modules[_MODULE] = before
