"""Artifact metadata: plain data, kept as `<name>.yml` next to the artifact's files."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

from bentoml.exceptions import ArtifactLoadingException, InvalidArgument

_UNSAFE = re.compile(r"[^-a-zA-Z0-9_.() ]+")
_PLAIN = (str, int, float, bool, type(None), date)


def file_stem(name: str) -> str:
    """The file name prefix of an artifact for its metadata, JSON and text files (0.13's rule)."""
    return _UNSAFE.sub("", name)


def plain_metadata(metadata: Any, artifact_name: str) -> dict[str, Any]:
    """A copy of `metadata` made of plain Python values; numpy scalars become numbers.

    Raises:
        TypeError: it is not a dictionary.
        InvalidArgument: it contains something that neither YAML nor JSON can hold.
    """
    if not isinstance(metadata, dict):
        raise TypeError(
            f"metadata of artifact '{artifact_name}' is a dictionary, not {type(metadata).__name__}"
        )
    plain: dict[str, Any] = _plain(metadata, f"metadata of artifact '{artifact_name}'")
    return plain


def _plain(value: Any, where: str) -> Any:
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise InvalidArgument(f"{where}: keys are texts, not {key!r}")
        return {key: _plain(inner, f"{where}, key '{key}'") for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner, where) for inner in value]
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return _plain(value.tolist(), where)
    if type(value) in _PLAIN or isinstance(value, date):
        return value
    for plain in (bool, int, float, str):
        if isinstance(value, plain):
            return plain(value)
    raise InvalidArgument(
        f"{where}: a {type(value).__name__} cannot be stored; use text, numbers, lists and dictionaries"
    )


def write_metadata(directory: Path, name: str, metadata: dict[str, Any]) -> None:
    import yaml  # noqa: PLC0415 - authoring reads the standard library only

    text = yaml.safe_dump(metadata, allow_unicode=True, sort_keys=False)
    (directory / f"{file_stem(name)}.yml").write_text(text, encoding="utf-8")


def read_metadata(directory: Path, name: str) -> dict[str, Any] | None:
    """The stored metadata; None when the artifact has none. Raises `ArtifactLoadingException`."""
    path = directory / f"{file_stem(name)}.yml"
    if not path.is_file():
        return None
    import yaml  # noqa: PLC0415 - authoring reads the standard library only

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as err:
        raise ArtifactLoadingException(f"Metadata file '{path.name}' of artifact '{name}': {err}") from err
    return content if isinstance(content, dict) else {}
