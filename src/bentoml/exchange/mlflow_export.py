"""A bundle becomes a model directory that MLflow loads with `mlflow.pyfunc.load_model`.

The directory holds the whole bundle and, around it, what MLflow reads: `MLmodel` and the files of
the environment. MLflow need not be installed to write it.
Format: https://mlflow.org/docs/latest/ml/model/
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import tempfile
import uuid
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bentoml.adapters.dataframe_input import DataframeInput
from bentoml.adapters.ndarray_input import NdarrayInput
from bentoml.bundle.descriptor import BundleDescriptor, read_descriptor
from bentoml.bundle.layout import BUNDLED_DEPENDENCIES
from bentoml.bundle.load import load_service_api
from bentoml.bundle.yaml_text import dump_yaml
from bentoml.exceptions import AlreadyExists, InvalidArgument
from bentoml.repository.open import open_repository

from .mlflow_model import DESCRIPTION, PYFUNC

if TYPE_CHECKING:
    from bentoml.service.inference_api import InferenceAPI

BUNDLE = "bundle"
LOADER = "bentoml.exchange.mlflow_pyfunc"
REQUIREMENTS = "requirements.txt"
_TYPES = {
    "bool": "boolean",
    "int8": "integer",
    "int16": "integer",
    "int32": "integer",
    "int": "long",
    "int64": "long",
    "float32": "float",
    "float": "double",
    "float64": "double",
    "str": "string",
    "object": "string",
    "string": "string",
    "datetime64[ns]": "datetime",
}


def export_mlflow(
    bundle: str | os.PathLike[str], target: str | os.PathLike[str], api: str | None = None
) -> Path:
    """Write a bundle as an MLflow `pyfunc` model.

    Args:
        bundle: the directory or `Name:version` of a saved service.
        target: the directory to make.
        api: the API that `predict` calls; may be left out when the service has one. Whoever loads
            the model may choose another with `model_config={"api": …}`.

    Returns:
        The directory.

    Raises:
        AlreadyExists: `target` exists.
        InvalidArgument: the service has several APIs and none is named.
        NotFound: no such bundle or API.
    """
    source = Path(bundle) if os.path.isdir(bundle) else open_repository().resolve(os.fspath(bundle))
    descriptor = read_descriptor(source)
    called = load_service_api(source, _api_name(descriptor, api))
    _check_callable(called)
    place = Path(target)
    if place.exists():
        raise AlreadyExists(f"'{place}' exists; name a directory that does not, or remove it")
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=f".{place.name}-") as made:
        content = Path(made, "model")
        shutil.copytree(source, content / BUNDLE)
        for name, text in _files(descriptor, called, source).items():
            (content / name).write_text(text, "utf-8")
        content.rename(place)
    return place


def _api_name(descriptor: BundleDescriptor, api: str | None) -> str:
    names = [entry.name for entry in descriptor.apis]
    if api is None and len(names) != 1:
        raise InvalidArgument(
            f"An MLflow model has one function and '{descriptor.tag}' has the APIs {', '.join(names)}; "
            "say which one it is with api= or, on the command line, --api"
            if names
            else f"'{descriptor.tag}' has no API"
        )
    return api or names[0]


def _check_callable(api: InferenceAPI) -> None:
    if api.task_argument and isinstance(api.input_adapter, (DataframeInput, NdarrayInput)):
        raise InvalidArgument(
            f"The function of '{api.name}' takes '{api.task_argument}', what a server knows of a request; "
            "MLflow gives it a table or an array and nothing else"
        )


def _files(descriptor: BundleDescriptor, api: InferenceAPI, bundle: Path) -> dict[str, str]:
    requirements = _requirements(bundle)
    python = descriptor.python_version
    pip = ["pip", {"pip": requirements.splitlines()}]
    conda = {
        "name": "mlflow-env",
        "channels": ["conda-forge"],
        "dependencies": [*([f"python={python}"] if python else []), *pip],
    }
    environment = {
        **({"python": python} if python else {}),
        "build_dependencies": ["pip", "setuptools", "wheel"],
        "dependencies": [f"-r {REQUIREMENTS}"],
    }
    return {
        DESCRIPTION: dump_yaml(_description(descriptor, api)),
        REQUIREMENTS: requirements,
        "conda.yaml": dump_yaml(conda),
        "python_env.yaml": dump_yaml(environment),
    }


def _requirements(bundle: Path) -> str:
    """The bundle's own, with its wheel of this library found from the model's directory."""
    file = bundle / REQUIREMENTS
    text = file.read_text("utf-8") if file.is_file() else ""
    moved = text.replace(f"./{BUNDLED_DEPENDENCIES}/", f"./{BUNDLE}/{BUNDLED_DEPENDENCIES}/")
    return f"{moved.rstrip()}\n{_mlflow()}\n"


def _mlflow() -> str:
    """The MLflow of this machine, the newest if it has none."""
    for name in ("mlflow", "mlflow-skinny"):
        try:
            return f"{name}=={importlib.metadata.version(name)}"
        except importlib.metadata.PackageNotFoundError:
            continue
    return "mlflow"


def _description(descriptor: BundleDescriptor, api: InferenceAPI) -> dict[str, Any]:
    flavor: dict[str, Any] = {
        "loader_module": LOADER,
        "data": BUNDLE,
        "env": {"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
        "config": {"api": api.name},
    }
    if descriptor.python_version:
        flavor["python_version"] = descriptor.python_version
    document: dict[str, Any] = {
        "flavors": {PYFUNC: flavor},
        "model_uuid": uuid.uuid4().hex,
        "utc_time_created": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f"),
        "metadata": {"bentoml_bundle": descriptor.tag},
    }
    inputs = _inputs(api.input_adapter)
    if inputs:
        document["signature"] = {"inputs": json.dumps(inputs), "outputs": None, "params": None}
    return document


def _inputs(adapter: Any) -> list[dict[str, Any]]:
    """The signature that the input adapter declares; empty when MLflow's types cannot say it."""
    if isinstance(adapter, DataframeInput) and adapter.columns:
        return _columns(adapter.columns, adapter.config["dtype"])
    if isinstance(adapter, NdarrayInput) and adapter.dtype is not None and adapter.shape is not None:
        shape = [-1, *(-1 if size in (None, -1) else size for size in adapter.shape)]
        return [{"type": "tensor", "tensor-spec": {"dtype": str(adapter.dtype), "shape": shape}}]
    return []


def _columns(names: list[Any], dtypes: Any) -> list[dict[str, Any]]:
    entries = []
    for place, name in enumerate(names):
        dtype = dtypes.get(name, dtypes.get(place)) if isinstance(dtypes, dict) else dtypes
        kind = _TYPES.get(str(dtype))
        if kind is None or not isinstance(name, str):
            return []
        entries.append({"type": kind, "name": name, "required": True})
    return entries
