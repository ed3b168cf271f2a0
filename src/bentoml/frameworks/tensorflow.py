"""TensorFlow SavedModels in the directory `<name>_saved_model/`."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bentoml.exceptions import InvalidArgument
from bentoml.file_copy import copy_tree

from ._model import ModelArtifact, Reference
from ._registry import import_package

DIRECTORY = "_saved_model"
GRAPH = "saved_model.pb"


class TensorflowSavedModelArtifact(ModelArtifact):
    """A TensorFlow model as a SavedModel.

    `get` returns what `tf.saved_model.load` gives, before saving too, so that only functions under
    `@tf.function` (and those of exported Keras models) can be called.

    Args:
        name: name of the artifact.
    """

    REFERENCE = Reference(
        takes="a `tf.Module`, Keras model or other trackable object; the path of a SavedModel",
        gives="the loaded SavedModel; its functions cast arguments to the dtype they were traced with",
        files="`NAME_saved_model/`",
    )
    PIP = ("tensorflow",)

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._source = Path()
        self._scratch: TemporaryDirectory[str] | None = None

    def pack(
        self, obj: Any, metadata: dict[str, Any] | None = None, signatures: Any = None, options: Any = None
    ) -> TensorflowSavedModelArtifact:
        """Take a trackable object or the path of a SavedModel.

        Args:
            obj: the object or the path.
            metadata: plain data about the model.
            signatures, options: as `tf.saved_model.save` takes them; for objects only.

        Raises:
            InvalidArgument: it is neither, or cannot be saved.
        """
        tensorflow = import_package("tensorflow", self)
        scratch = None
        if isinstance(obj, (str, os.PathLike)):
            source = Path(obj)
            if not (source / GRAPH).is_file():
                raise InvalidArgument(f"'{source}' is not a SavedModel: it has no file '{GRAPH}'")
        else:
            scratch = TemporaryDirectory(prefix="bentoml-saved-model-")
            source = Path(scratch.name)
            try:
                _write(tensorflow, obj, str(source), signatures, options)
            except (ValueError, TypeError, AttributeError) as err:
                raise InvalidArgument(
                    f"TensorflowSavedModelArtifact '{self.name}' cannot save a {type(obj).__name__}: {err}"
                ) from err
        loaded = tensorflow.saved_model.load(str(source))
        _cast_arguments(tensorflow, loaded)
        self._model, self._source, self._scratch = loaded, source, scratch
        return self

    def load(self, path: str) -> TensorflowSavedModelArtifact:
        import_package("tensorflow", self)
        return self.pack(self._found(path, DIRECTORY))

    def save(self, dst: str) -> None:
        copy_tree(self._source, self._file(dst, DIRECTORY))


def _write(tensorflow: Any, obj: Any, directory: str, signatures: Any, options: Any) -> None:
    export = getattr(obj, "export", None)
    if signatures is None and export is not None and _is_keras(obj):  # Keras 3 traces calls only here
        export(directory, verbose=False)
        return
    arguments = {"signatures": signatures, "options": options}
    tensorflow.saved_model.save(obj, directory, **{k: v for k, v in arguments.items() if v is not None})


def _is_keras(obj: Any) -> bool:
    return any(base.__module__.startswith("keras.") for base in type(obj).__mro__)


def _cast_arguments(tensorflow: Any, loaded: Any) -> None:
    """Put a cast around functions with one signature, so that a list or a float64 array is accepted."""
    for name in dir(loaded):
        function = getattr(loaded, name, None) if not name.startswith("__") else None
        traced = getattr(function, "concrete_functions", None)
        if traced and len(traced) == 1:
            setattr(loaded, name, _Casting(tensorflow, function, traced[0]))


class _Casting:
    """Calls a restored function with its arguments as tensors of the traced dtypes."""

    def __init__(self, tensorflow: Any, function: Any, traced: Any) -> None:
        self._tensorflow = tensorflow
        self._function = function
        args, self._kwargs_spec = traced.structured_input_signature
        self._args_spec = args

    def __getattr__(self, name: str) -> Any:
        return getattr(self._function, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        cast_args = [self._cast(value, self._args_spec, at) for at, value in enumerate(args)]
        cast_kwargs = {key: self._cast(value, self._kwargs_spec, key) for key, value in kwargs.items()}
        return self._function(*cast_args, **cast_kwargs)

    def _cast(self, value: Any, specs: Any, at: Any) -> Any:
        tensorflow = self._tensorflow
        known = at in specs if isinstance(specs, dict) else at < len(specs)
        spec = specs[at] if known else None
        if not isinstance(spec, tensorflow.TensorSpec):
            return value
        if tensorflow.is_tensor(value):
            return tensorflow.cast(value, spec.dtype) if value.dtype != spec.dtype else value
        return tensorflow.cast(tensorflow.convert_to_tensor(value), spec.dtype)
