"""Which class each part of a transformers bundle has, as 0.13 wrote it down and beyond."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .class_names import class_path, is_plain, load_class

MODEL = "model"
TOKENIZER = "tokenizer"

# The class names inside the transformers package; 0.13 wrote the first two.
TYPE_FILES = {
    MODEL: "_model_type.txt",
    TOKENIZER: "tokenizer_type.txt",
    "processor": "_processor_type.txt",
    "image_processor": "_image_processor_type.txt",
    "feature_extractor": "_feature_extractor_type.txt",
}
PARTS = tuple(TYPE_FILES)
READERS = PARTS[1:]  # what turns user data into the model's input
AUTO_READERS = {
    TOKENIZER: "AutoTokenizer",
    "processor": "AutoProcessor",
    "image_processor": "AutoImageProcessor",
    "feature_extractor": "AutoFeatureExtractor",
}

# Tried in this order when neither the bundle nor config.json names a class that exists.
AUTO_MODELS = ("AutoModelForCausalLM", "AutoModelForSeq2SeqLM", "AutoModelForMaskedLM", "AutoModel")

PIPELINE_FILE = "_pipeline.json"
PIPELINE_OPTIONS = ("_preprocess_params", "_forward_params", "_postprocess_params")


def _class_file(part: str) -> str:
    """Only for a user's own subclass: "module:QualifiedName"."""
    return f"_{part}_class.txt"


def store_class(transformers: Any, directory: Path, part: str, cls: type) -> None:
    """Write the class name 0.13 reads, and the full path of a class that is not in transformers."""
    in_library = next(
        (base.__name__ for base in cls.__mro__ if getattr(transformers, base.__name__, None) is base), ""
    )
    (directory / TYPE_FILES[part]).write_text(in_library or cls.__name__, encoding="utf-8")
    if in_library != cls.__name__:
        (directory / _class_file(part)).write_text(class_path(cls), encoding="utf-8")


def is_stored(directory: Path, part: str) -> bool:
    return (directory / TYPE_FILES[part]).is_file()


def stored_class(transformers: Any, directory: Path, part: str) -> Any:
    """The class a bundle names; None when this version of transformers does not have it any more."""
    own = directory / _class_file(part)
    if own.is_file():
        return load_class(own.read_text(encoding="utf-8").strip())
    named = directory / TYPE_FILES[part]
    if not named.is_file():
        return None
    return getattr(transformers, named.read_text(encoding="utf-8").strip(), None)


def config_class(transformers: Any, source: str, options: dict[str, Any]) -> Any:
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


def is_pipeline(model: Any) -> bool:
    return any(
        base.__name__ == "Pipeline" and base.__module__.startswith("transformers.")
        for base in type(model).__mro__
    )


def pipeline_parts(pipeline: Any) -> dict[str, Any]:
    parts = {part: getattr(pipeline, part, None) for part in PARTS}
    return {part: value for part, value in parts.items() if value is not None}


def store_pipeline(directory: Path, pipeline: Any) -> None:
    """Write the task and the plain ones of the arguments the pipeline was made with."""
    content: dict[str, Any] = {"task": pipeline.task}
    for option in PIPELINE_OPTIONS:
        values = getattr(pipeline, option, {})
        content[option] = {key: value for key, value in values.items() if is_plain(value)}
    (directory / PIPELINE_FILE).write_text(json.dumps(content), encoding="utf-8")


def load_pipeline(transformers: Any, directory: Path, parts: dict[str, Any]) -> Any:
    content = json.loads((directory / PIPELINE_FILE).read_text(encoding="utf-8"))
    pipeline = transformers.pipeline(content["task"], **parts)
    for option in PIPELINE_OPTIONS:
        getattr(pipeline, option, {}).update(content.get(option, {}))
    return pipeline
