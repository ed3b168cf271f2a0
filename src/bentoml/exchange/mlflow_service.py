"""The source of a service around an MLflow model: what its author would have written by hand.

The model's signature decides the API. Columns of plain types make a `DataframeInput`, one array a
`NdarrayInput`; named arrays and nested values come as JSON objects.
"""

from __future__ import annotations

import pprint
from typing import Any

from .mlflow_model import Column, MlflowModel, Tensor

ARTIFACT = "model"
API = "predict"
_WIDTH = 88
# Types of MLflow's schemas that a table's column can have; None is left to what comes.
_DTYPES: dict[str, str | None] = {
    "boolean": "bool",
    "integer": "int32",
    "long": "int64",
    "float": "float32",
    "double": "float64",
    "string": "str",
    "datetime": "datetime64[ns]",
}

_TEMPLATE = '''\
"""{name}: serves a model that was saved with MLflow.

Written when the model was imported; change it as you like and save it again.
"""

{imports}


{above}@bentoml.env(infer_pip_packages=True)
@bentoml.artifacts([MlflowModelArtifact("{artifact}")])
class {name}(bentoml.BentoService):
    """A model that was saved with MLflow."""

    @bentoml.api(
        input={adapter},
        batch={batch},
    )
    def {api}(self, {argument}):
        """{doc}"""
        return self.artifacts.{artifact}.predict({value})
'''


def source_of_service(name: str, model: MlflowModel) -> str:
    """The module that defines the service class `name`."""
    if len(model.tensors) == 1 and model.tensors[0].name is None and not model.columns:
        return _of_array(name, model.tensors[0], model.example)
    if model.tensors:
        return _of_named_arrays(name, model.tensors, model.example)
    if any(column.type not in _DTYPES or column.name is None for column in model.columns):
        return _of_object(name, model.example)
    return _of_table(name, model.columns, model.example)


def _of_table(name: str, columns: tuple[Column, ...], example: Any) -> str:
    names = [column.name for column in columns]
    options: dict[str, Any] = {}
    if columns and all(column.is_required for column in columns):
        options["columns"] = names
    if columns:
        options["dtype"] = {column.name: _DTYPES[column.type] for column in columns}
    return _write(
        name,
        adapter=("DataframeInput", options | _shown(example)),
        batch=True,
        argument="frame",
        doc="A table with one item a row; the answer has one prediction a row.",
    )


def _of_array(name: str, tensor: Tensor, example: Any) -> str:
    batch = bool(tensor.shape) and tensor.shape[0] == -1
    shape = tensor.shape[1:] if batch else tensor.shape
    options = {"dtype": tensor.dtype, "shape": [None if size == -1 else size for size in shape]}
    one = example[0] if batch and isinstance(example, list) and example else example
    return _write(
        name,
        adapter=("NdarrayInput", options | _shown(one)),
        batch=batch,
        argument="array",
        doc="One array; requests that wait together share one call of the model."
        if batch
        else "One array; the answer is what the model says about it.",
    )


def _of_named_arrays(name: str, tensors: tuple[Tensor, ...], example: Any) -> str:
    fields = ", ".join(f"{tensor.name!r}: list" for tensor in tensors)
    arrays = ", ".join(
        f"{tensor.name!r}: np.asarray(arrays[{tensor.name!r}], {tensor.dtype!r})" for tensor in tensors
    )
    return _write(
        name,
        adapter=("JsonInput", {"schema": _Name("Inputs")} | _shown(example)),
        batch=False,
        argument="arrays",
        value="{" + arrays + "}",
        doc="An object with one array for each input of the model.",
        needs=("import numpy as np", "from typing_extensions import TypedDict"),
        above=f'Inputs = TypedDict("Inputs", {{{fields}}})\n\n\n',
    )


def _of_object(name: str, example: Any) -> str:
    return _write(
        name,
        adapter=("JsonInput", _shown(example)),
        batch=False,
        argument="parsed_json",
        doc="What the model takes, as JSON.",
    )


def _shown(example: Any) -> dict[str, Any]:
    return {} if example is None else {"http_input_example": example}


def _write(
    name: str,
    *,
    adapter: tuple[str, dict[str, Any]],
    batch: bool,
    argument: str,
    doc: str,
    value: str | None = None,
    needs: tuple[str, ...] = (),
    above: str = "",
) -> str:
    kind, options = adapter
    lines = [f"            {key}={_literal(value)},\n" for key, value in options.items()]
    inner = f"\n{''.join(lines)}        " if lines else ""
    own = [
        "import bentoml",
        f"from bentoml.adapters import {kind}",
        "from bentoml.frameworks.mlflow import MlflowModelArtifact",
    ]
    return _TEMPLATE.format(
        name=name,
        artifact=ARTIFACT,
        api=API,
        imports="\n".join([*needs, "", *own] if needs else own),
        adapter=f"{kind}({inner})",
        batch=batch,
        argument=argument,
        value=value or argument,
        doc=doc,
        above=above,
    )


class _Name(str):
    """A name in the source rather than a text."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _literal(value: Any) -> str:
    """Python source of a value that came from JSON, to stand after `keyword=` in the adapter's call."""
    return pprint.pformat(value, width=_WIDTH, sort_dicts=False).replace("\n", f"\n{' ' * 12}")
