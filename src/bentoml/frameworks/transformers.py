"""Hugging Face transformers: a model and what reads its input in the directory `<name>/`."""

from __future__ import annotations

import logging
import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bentoml.exceptions import InvalidArgument, NotFound
from bentoml.service.artifacts.base import BentoServiceArtifact

from ._model import Reference
from ._registry import import_package, missing
from ._transformers_files import (
    AUTO_READERS,
    MODEL,
    PARTS,
    PIPELINE_FILE,
    READERS,
    TOKENIZER,
    config_class,
    is_pipeline,
    is_stored,
    load_pipeline,
    pipeline_parts,
    store_class,
    store_pipeline,
    stored_class,
)

if TYPE_CHECKING:
    from bentoml.service.env import BentoServiceEnv

logger = logging.getLogger("bentoml.frameworks")


class TransformersModelArtifact(BentoServiceArtifact):
    """A transformers model with its tokenizer or processor, or a pipeline; `get` returns what was packed.

    Args:
        name: name of the artifact.

    Raises:
        MissingDependencyException: transformers is not installed.
    """

    REFERENCE = Reference(
        takes='`{"model": …, "tokenizer": …}` (or `"processor"` and the like); a pipeline; a folder; a name',
        gives="the dictionary, or the pipeline",
        files="`NAME/`",
    )

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._model: Any = {}
        if find_spec("transformers") is None:
            raise missing("transformers", self)

    def _directory(self, base: str) -> Path:
        return Path(base) / self.name

    def pack(self, model: Any, metadata: dict[str, Any] | None = None) -> TransformersModelArtifact:
        """Take a model.

        Args:
            model: `{"model": …, "tokenizer": …}` with the objects, which may be of any class made by
                any Auto class or of a subclass of your own; beside or instead of the tokenizer, a
                processor, image processor or feature extractor; or what `transformers.pipeline` made;
                or the path of a directory written by `save_pretrained`; or a model id, which is
                loaded from the cache or the hub.
            metadata: plain data about the model.

        Raises:
            InvalidArgument: it is none of these.
            NotFound: no such model id, or the directory lacks a model or tokenizer.
        """
        if isinstance(model, dict):
            self._model = _check_objects(model, self.name)
        elif is_pipeline(model):
            _check_objects(pipeline_parts(model), self.name)
            self._model = model
        elif isinstance(model, (str, os.PathLike)):
            self._model = self._from_pretrained(os.fspath(model))
        else:
            raise InvalidArgument(
                f"TransformersModelArtifact '{self.name}' packs {{'model': <model>, 'tokenizer': "
                f"<tokenizer>}}, a pipeline, a directory or a model id, not {type(model).__name__}"
            )
        return self

    def load(self, path: str) -> TransformersModelArtifact:
        directory = self._directory(path)
        transformers = import_package("transformers", self)
        options = {"local_files_only": True}
        parts = {}
        for part in [MODEL, *([part for part in READERS if is_stored(directory, part)] or [TOKENIZER])]:
            cls = stored_class(transformers, directory, part) or (
                config_class(transformers, str(directory), options)
                if part == MODEL
                else getattr(transformers, AUTO_READERS[part])
            )
            parts[part] = cls.from_pretrained(directory, **options)
        if (directory / PIPELINE_FILE).is_file():
            return self.pack(load_pipeline(transformers, directory, parts))
        return self.pack(parts)

    def _from_pretrained(self, source: str) -> dict[str, Any]:
        transformers = import_package("transformers", self)
        local = os.path.isdir(source)
        options = {"local_files_only": True} if local else {}
        try:
            model_class = config_class(transformers, source, options)
            reader = _auto_reader(transformers, source, options)
            return {MODEL: model_class.from_pretrained(source, **options), **reader}
        except (OSError, ValueError, NotFound) as err:
            what = "The directory" if local else "The model id"
            fix = "written by save_pretrained of both" if local else "known to the hub, or a local path"
            raise NotFound(
                f"{what} '{source}' does not give a transformers model with its tokenizer. It must be {fix}. "
                f"Reason: {str(err).strip().splitlines()[0] if str(err).strip() else type(err).__name__}"
            ) from err

    def save(self, dst: str) -> None:
        transformers = import_package("transformers", self)
        directory = self._directory(dst)
        directory.mkdir(parents=True, exist_ok=True)
        parts = pipeline_parts(self._model) if is_pipeline(self._model) else self._model
        for part in PARTS:
            if parts.get(part) is not None:
                parts[part].save_pretrained(str(directory))
                store_class(transformers, directory, part, type(parts[part]))
        if is_pipeline(self._model):
            store_pipeline(directory, self._model)

    def get(self) -> Any:
        return self._model

    def set_dependencies(self, env: BentoServiceEnv) -> None:
        if env.infer:
            env.add_pip_packages(["transformers"])
            env.add_pip_packages(["torch"] if find_spec("torch") else [])


def _auto_reader(transformers: Any, source: str, options: dict[str, Any]) -> dict[str, Any]:
    """The tokenizer of `source`, else what a model of images or sound has instead."""
    first: Exception | None = None
    for part, auto in AUTO_READERS.items():
        try:
            return {part: getattr(transformers, auto).from_pretrained(source, **options)}
        except (OSError, ValueError, TypeError, ImportError) as err:  # whatever misses its file
            first = first or err
    raise NotFound(str(first)) from first


def _check_objects(objects: dict[str, Any], name: str) -> dict[str, Any]:
    readers = [part for part in READERS if objects.get(part) is not None] or [TOKENIZER]
    for part in (MODEL, *readers):
        value = objects.get(part)
        if value is None:
            raise InvalidArgument(
                f"'{part}' key is not found in the dictionary packed as '{name}'. Expecting a dictionary "
                "with keys 'model' and 'tokenizer'"
            )
        cls = type(value)
        if isinstance(value, type) or not (
            hasattr(cls, "save_pretrained") and hasattr(cls, "from_pretrained")
        ):
            raise InvalidArgument(
                f"Expecting a transformers {part} object for '{part}' of '{name}', but the object passed "
                f"is {value!r}"[:500]
            )
        if cls.__module__.partition(".")[0] == "transformers_modules":
            raise InvalidArgument(
                f"The class {cls.__name__} of '{part}' was downloaded with the model and cannot be imported "
                "elsewhere. Copy its file into your project, import the class from there and load the model "
                "with it"
            )
    extra = [str(key) for key in objects if key not in PARTS]
    if extra:
        logger.warning(
            "Only 'model' and 'tokenizer' (or a processor) of artifact '%s' are saved; %s will be missing "
            "after loading. Give it an artifact of its own",
            name,
            ", ".join(repr(key) for key in extra),
        )
    return objects
