"""Hugging Face transformers: a model and its tokenizer in the directory `<name>/`."""

from __future__ import annotations

import logging
import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bentoml.exceptions import InvalidArgument, NotFound
from bentoml.service.artifacts.base import BentoServiceArtifact

from ._registry import import_package, missing
from .class_names import class_path, load_class

if TYPE_CHECKING:
    from bentoml.service.env import BentoServiceEnv

logger = logging.getLogger("bentoml.frameworks")

MODEL = "model"
TOKENIZER = "tokenizer"

# 0.13's files: the class names inside the transformers package.
TYPE_FILES = {MODEL: "_model_type.txt", TOKENIZER: "tokenizer_type.txt"}
# Ours, only for a user's own subclass: "module:QualifiedName".
CLASS_FILES = {MODEL: "_model_class.txt", TOKENIZER: "_tokenizer_class.txt"}

# Tried in this order when neither the bundle nor config.json names a class that exists.
AUTO_MODELS = ("AutoModelForCausalLM", "AutoModelForSeq2SeqLM", "AutoModelForMaskedLM", "AutoModel")


class TransformersModelArtifact(BentoServiceArtifact):
    """A transformers model with its tokenizer (or processor); `get` returns `{"model", "tokenizer"}`.

    Args:
        name: name of the artifact.

    Raises:
        MissingDependencyException: transformers is not installed.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._model: dict[str, Any] = {}
        if find_spec("transformers") is None:
            raise missing("transformers", self)

    def _directory(self, base: str) -> Path:
        return Path(base) / self.name

    def pack(self, model: Any, metadata: dict[str, Any] | None = None) -> TransformersModelArtifact:
        """Take a model.

        Args:
            model: `{"model": …, "tokenizer": …}` with the objects, which may be of any class made by
                any Auto class or of a subclass of your own; or the path of a directory written by
                `save_pretrained`; or a model id, which is loaded from the cache or the hub.
            metadata: plain data about the model.

        Raises:
            InvalidArgument: it is none of these.
            NotFound: no such model id, or the directory lacks a model or tokenizer.
        """
        if isinstance(model, dict):
            self._model = _check_objects(model, self.name)
        elif isinstance(model, (str, os.PathLike)):
            self._model = self._from_pretrained(os.fspath(model))
        else:
            raise InvalidArgument(
                f"TransformersModelArtifact '{self.name}' packs {{'model': <model>, 'tokenizer': "
                f"<tokenizer>}}, a directory or a model id, not {type(model).__name__}"
            )
        return self

    def load(self, path: str) -> TransformersModelArtifact:
        directory = self._directory(path)
        transformers = import_package("transformers", self)
        options = {"local_files_only": True}
        model_class = _stored_class(transformers, directory, MODEL) or _config_class(
            transformers, str(directory), options
        )
        tokenizer_class = _stored_class(transformers, directory, TOKENIZER) or transformers.AutoTokenizer
        return self.pack(
            {
                MODEL: model_class.from_pretrained(directory, **options),
                TOKENIZER: tokenizer_class.from_pretrained(directory, **options),
            }
        )

    def _from_pretrained(self, source: str) -> dict[str, Any]:
        transformers = import_package("transformers", self)
        local = os.path.isdir(source)
        options = {"local_files_only": True} if local else {}
        try:
            model_class = _config_class(transformers, source, options)
            return {
                MODEL: model_class.from_pretrained(source, **options),
                TOKENIZER: transformers.AutoTokenizer.from_pretrained(source, **options),
            }
        except (OSError, ValueError) as err:
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
        for part in (MODEL, TOKENIZER):
            self._model[part].save_pretrained(str(directory))
            _store_class(transformers, directory, part, type(self._model[part]))

    def get(self) -> dict[str, Any]:
        return self._model

    def set_dependencies(self, env: BentoServiceEnv) -> None:
        if env.infer:
            env.add_pip_packages(["transformers"])
            env.add_pip_packages(["torch"] if find_spec("torch") else [])


def _check_objects(objects: dict[str, Any], name: str) -> dict[str, Any]:
    for part in (MODEL, TOKENIZER):
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
    extra = [str(key) for key in objects if key not in (MODEL, TOKENIZER)]
    if extra:
        logger.warning(
            "Only 'model' and 'tokenizer' of artifact '%s' are saved; %s will be missing after loading. "
            "Give it an artifact of its own",
            name,
            ", ".join(repr(key) for key in extra),
        )
    return objects


def _store_class(transformers: Any, directory: Path, part: str, cls: type) -> None:
    """Write the class name 0.13 reads, and the full path of a class that is not in transformers."""
    in_library = next(
        (base.__name__ for base in cls.__mro__ if getattr(transformers, base.__name__, None) is base), ""
    )
    (directory / TYPE_FILES[part]).write_text(in_library or cls.__name__, encoding="utf-8")
    if in_library != cls.__name__:
        (directory / CLASS_FILES[part]).write_text(class_path(cls), encoding="utf-8")


def _stored_class(transformers: Any, directory: Path, part: str) -> Any:
    """The class a bundle names; None when this version of transformers does not have it any more."""
    own = directory / CLASS_FILES[part]
    if own.is_file():
        return load_class(own.read_text(encoding="utf-8").strip())
    named = directory / TYPE_FILES[part]
    if not named.is_file():
        return None
    return getattr(transformers, named.read_text(encoding="utf-8").strip(), None)


def _config_class(transformers: Any, source: str, options: dict[str, Any]) -> Any:
    """The model class named in the model's config.json, else the first Auto class that knows it."""
    config = transformers.AutoConfig.from_pretrained(source, **options)
    for architecture in config.architectures or ():
        found = getattr(transformers, architecture, None)
        if found is not None:
            return found
    for auto_name in AUTO_MODELS:
        auto = getattr(transformers, auto_name, None)
        if auto is not None and type(config) in auto._model_mapping:
            return auto
    raise ValueError(f"no model class for the configuration {type(config).__name__}")
