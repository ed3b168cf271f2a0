"""Where values come from below the command line: environment variables and the YAML file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from bentoml.exceptions import BentoMLConfigException

from .options import Option, iter_options, put
from .paths import config_file

BAD_SCHEMA = "Configuration after user override does not conform to the required schema."
_IMAGE_EXTENSIONS = "adapters.image_input.default_extensions"


class _Source(PydanticBaseSettingsSource):
    """A source that gives a whole tree at once (the base class asks field by field)."""

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        super().__init__(settings_cls)
        self.options = tuple(iter_options(settings_cls))

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return None, field_name, False


class EnvironmentSource(_Source):
    """The variables each setting names. An empty variable counts as unset."""

    def __call__(self) -> dict[str, Any]:
        tree: dict[str, Any] = {}
        for spec in self.options:
            name = first_set(spec)
            if name:
                put(tree, spec.path, os.environ[name].strip())
        return tree


class FileSource(_Source):
    """The YAML file of `BENTOML_CONFIG`, in 0.13's keys."""

    def __call__(self) -> dict[str, Any]:
        path = config_file()
        tree: dict[str, Any] = {}
        if path is None:
            return tree
        by_key = {spec.key: spec for spec in self.options if spec.key}
        subtrees = {key for key, spec in by_key.items() if spec.subtree}
        for key, value in flatten(read_yaml(path), subtrees, by_key):
            spec = by_key.get(key)
            if spec is None:
                raise BentoMLConfigException(_unknown_key(key, by_key, path))
            put(tree, spec.path, _extended(spec, value))
        return tree


def first_set(spec: Option) -> str:
    """The environment variable that decides this setting now, or `""`."""
    return next((name for name in spec.env if os.environ.get(name, "").strip()), "")


def read_yaml(path: Path) -> Mapping[str, Any]:
    """The file as a mapping; an empty file is an empty mapping. Raises `BentoMLConfigException`."""
    import yaml  # noqa: PLC0415 - only when a file is configured

    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as err:
        raise BentoMLConfigException(f"Config file {path} cannot be read: {err}") from err
    except yaml.YAMLError as err:
        raise BentoMLConfigException(f"Config file {path} is not valid YAML: {err}") from err
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise BentoMLConfigException(
            f"{BAD_SCHEMA} {path} holds a {type(content).__name__}, not keys such as 'bento_server:'."
        )
    return content


def flatten(
    tree: Mapping[str, Any], subtrees: set[str], known: Mapping[str, Option], prefix: str = ""
) -> Iterator[tuple[str, Any]]:
    """`{"a": {"b": 1}}` → `("a.b", 1)`. An empty or null section gives nothing."""
    for name, value in tree.items():
        key = f"{prefix}{name}"
        is_section = any(other.startswith(f"{key}.") for other in known)
        if key in subtrees or not (isinstance(value, dict) or (value is None and is_section)):
            yield key, value
        elif isinstance(value, dict):
            if not value and not is_section:
                yield key, value
            yield from flatten(value, subtrees, known, f"{key}.")


def _extended(spec: Option, value: Any) -> Any:
    """0.13 merged lists by appending; the one list with a default keeps that."""
    if spec.key != _IMAGE_EXTENSIONS or not isinstance(value, list):
        return value
    return list(dict.fromkeys([*spec.default, *value]))


def _unknown_key(key: str, known: Mapping[str, Option], path: Path) -> str:
    close = get_close_matches(key, known, n=1, cutoff=0.5)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    return f"{BAD_SCHEMA} Unknown key '{key}' in {path}.{hint}"
