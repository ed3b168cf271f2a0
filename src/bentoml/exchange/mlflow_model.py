"""The description `MLmodel` of an MLflow model directory, read without MLflow.

Format: https://mlflow.org/docs/latest/ml/model/ (YAML; the signature's schemas are JSON texts in it).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bentoml.bundle.yaml_text import read_yaml
from bentoml.exceptions import BundleCorrupted, InvalidArgument, NotFound

DESCRIPTION = "MLmodel"
PYFUNC = "python_function"
_EXAMPLE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Column:
    """One input of a table; `name` is None in a table of one nameless column."""

    name: str | None
    type: str
    is_required: bool


@dataclass(frozen=True, slots=True)
class Tensor:
    """One array input: NumPy's name of its type, and its shape with -1 for any size."""

    name: str | None
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class MlflowModel:
    """What an MLflow model says of itself.

    Attributes:
        path: the model's directory.
        columns: the inputs of a model that takes tables.
        tensors: the inputs of a model that takes arrays; both are empty when nothing is declared.
        example: the stored input example as a client would send it, None without one.
    """

    path: Path
    columns: tuple[Column, ...] = ()
    tensors: tuple[Tensor, ...] = ()
    example: Any = None


def read_model(path: Path) -> MlflowModel:
    """Read a model's description.

    Raises:
        NotFound: no MLflow model in the directory.
        InvalidArgument: a model without the `python_function` flavor.
        BundleCorrupted: the description cannot be read.
    """
    file = path / DESCRIPTION
    if not file.is_file():
        raise NotFound(f"'{path}' is not a folder written by MLflow: it has no file '{DESCRIPTION}'")
    document = read_yaml(file)
    flavors = document.get("flavors") if isinstance(document, Mapping) else None
    if not isinstance(flavors, Mapping):
        raise BundleCorrupted(f"'{file}' names no flavors; is it an MLflow model?")
    if PYFUNC not in flavors:
        raise InvalidArgument(
            f"The model in '{path}' has the flavors {', '.join(map(str, flavors))} and not '{PYFUNC}', "
            "which is the one that can be called without knowing the framework. Save it in MLflow with it"
        )
    columns, tensors = _inputs(document.get("signature"), file)
    return MlflowModel(path, columns, tensors, _example(path, document.get("saved_input_example_info")))


def _inputs(signature: Any, file: Path) -> tuple[tuple[Column, ...], tuple[Tensor, ...]]:
    text = signature.get("inputs") if isinstance(signature, Mapping) else None
    if not text:
        return (), ()
    try:
        entries = json.loads(text)
        tensors = [_tensor(entry) for entry in entries if entry["type"] == "tensor"]
        columns = [_column(entry) for entry in entries if entry["type"] != "tensor"]
    except (KeyError, TypeError, ValueError) as err:
        raise BundleCorrupted(f"The signature in '{file}' cannot be read: {err!r}") from err
    return tuple(columns), tuple(tensors)


def _column(entry: Mapping[str, Any]) -> Column:
    return Column(entry.get("name"), str(entry["type"]), bool(entry.get("required", True)))


def _tensor(entry: Mapping[str, Any]) -> Tensor:
    spec = entry["tensor-spec"]
    return Tensor(entry.get("name"), str(spec["dtype"]), tuple(int(size) for size in spec["shape"]))


def _example(path: Path, info: Any) -> Any:
    """The input example in the JSON a client sends; None for a kind that has no such form."""
    if not isinstance(info, Mapping) or info.get("type") not in ("dataframe", "ndarray", "json_object"):
        return None
    file = path / str(info.get("artifact_path"))
    if path.resolve() not in file.resolve().parents or not file.is_file():
        return None
    if file.stat().st_size > _EXAMPLE_BYTES:
        return None
    try:
        return _as_sent(json.loads(file.read_text("utf-8")), info["type"])
    except (TypeError, ValueError):
        return None


def _as_sent(value: Any, kind: str) -> Any:
    if kind == "ndarray":
        return value.get("inputs") if isinstance(value, Mapping) else value
    if kind == "dataframe":
        return _records(value)
    return value


def _records(value: Any) -> Any:
    """MLflow writes columns and rows apart; a client sends one object a row."""
    if not isinstance(value, Mapping) or not isinstance(value.get("data"), list):
        return None
    names = value.get("columns")
    return [dict(zip(names, row, strict=True)) for row in value["data"]] if names else value["data"]
