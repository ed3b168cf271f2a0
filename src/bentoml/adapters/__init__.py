"""Input and output adapters; each is imported when it is first asked for."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .annotated_image_input import AnnotatedImageInput as AnnotatedImageInput
    from .base_input import BaseInputAdapter as BaseInputAdapter
    from .base_output import BaseOutputAdapter as BaseOutputAdapter
    from .dataframe_input import DataframeInput as DataframeInput
    from .dataframe_output import DataframeOutput as DataframeOutput
    from .default_output import DefaultOutput as DefaultOutput
    from .file_input import FileInput as FileInput
    from .file_output import FileOutput as FileOutput
    from .image_input import ImageInput as ImageInput
    from .image_output import ImageOutput as ImageOutput
    from .json_input import JsonInput as JsonInput
    from .json_output import JsonOutput as JsonOutput
    from .limits import DecodeLimits as DecodeLimits
    from .multi_file_input import MultiFileInput as MultiFileInput
    from .multi_image_input import MultiImageInput as MultiImageInput
    from .ndarray_input import NdarrayInput as NdarrayInput
    from .parquet_input import ParquetInput as ParquetInput
    from .parquet_output import ParquetOutput as ParquetOutput
    from .string_input import StringInput as StringInput
    from .tensorflow_tensor_input import TfTensorInput as TfTensorInput
    from .tensorflow_tensor_output import TfTensorOutput as TfTensorOutput

_MODULES = {
    "AnnotatedImageInput": "annotated_image_input",
    "BaseInputAdapter": "base_input",
    "BaseOutputAdapter": "base_output",
    "DataframeInput": "dataframe_input",
    "DataframeOutput": "dataframe_output",
    "DecodeLimits": "limits",
    "DefaultOutput": "default_output",
    "FileInput": "file_input",
    "FileOutput": "file_output",
    "ImageInput": "image_input",
    "ImageOutput": "image_output",
    "JsonInput": "json_input",
    "JsonOutput": "json_output",
    "MultiFileInput": "multi_file_input",
    "MultiImageInput": "multi_image_input",
    "NdarrayInput": "ndarray_input",
    "ParquetInput": "parquet_input",
    "ParquetOutput": "parquet_output",
    "StringInput": "string_input",
    "TfTensorInput": "tensorflow_tensor_input",
    "TfTensorOutput": "tensorflow_tensor_output",
}

__all__ = sorted(_MODULES)  # noqa: PLE0605 - the table above is the one list


def __getattr__(name: str) -> Any:
    module_name = _MODULES.get(name)
    if module_name is None:
        if name.startswith("Clipper"):
            importlib.import_module(f"{__name__}.clipper_input").explain(name)
        raise AttributeError(f"bentoml.adapters has no '{name}'; it has {', '.join(sorted(_MODULES))}")
    value = getattr(importlib.import_module(f"{__name__}.{module_name}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
