"""Which files belong to which artifact, and which artifacts are data: loading them runs no code of theirs.

Trust in a format is a matter of who reads it, so both must be known: the artifact class and the kind of
file that it reads as data. Everything else counts as able to run code, a custom artifact class included.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

from bentoml.service.artifacts.metadata import file_stem

METADATA_SUFFIX = ".yml"

# Artifact class → suffixes of the files that it reads without running anything from them.
_DATA = {
    "CatBoostModelArtifact": (".cbm", ".json"),
    "FasttextModelArtifact": ("",),
    "FlaxModelArtifact": (".msgpack", ".json"),
    "JSONArtifact": (".json",),
    "LightGBMModelArtifact": (".txt",),
    "OnnxModelArtifact": (".onnx",),
    "SafetensorsModelArtifact": (".safetensors", ".json"),
    "SklearnModelArtifact": (".skops",),
    "TextFileArtifact": ("",),
    "XgboostModelArtifact": (".ubj", ".json", ".model"),
}
_ANY = ""


def owner_of(path: str, names: Iterable[str]) -> str | None:
    """The artifact that a file below `artifacts/` belongs to: the one with the longest fitting name.

    Artifacts write files whose names start with their own, or folders named so.
    """
    top = path.partition("/")[0]
    fitting = [name for name in names if top.startswith(name) or top.startswith(file_stem(name))]
    return max(fitting, key=len, default=None)


def is_data(artifact_type: str, artifact_name: str, path: str) -> bool:
    """Whether this class reads this file as data."""
    suffixes = _DATA.get(artifact_type, ())
    if path == file_stem(artifact_name) + METADATA_SUFFIX:
        return True
    suffix = PurePosixPath(path).suffix
    return any(known in (_ANY, suffix) for known in suffixes)


def refusal(artifact_type: str) -> str:
    """What to use instead, for people whose artifact may run code."""
    if artifact_type == "SklearnModelArtifact":
        return "save it with SklearnModelArtifact(file_format='skops')"
    if artifact_type in ("PytorchModelArtifact", "PytorchLightningModelArtifact"):
        return "save it with SafetensorsModelArtifact, or as ONNX"
    if artifact_type in _DATA:
        return "save it in the form that this artifact keeps as data"
    return "save it as safetensors, ONNX, skops, JSON or text"
