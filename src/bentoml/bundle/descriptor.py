"""`bentoml.yml` as data: what a bundle says about itself, readable without executing any of it.

The schema is the one 0.13 wrote, so its tools read our bundles; fields of ours are additional keys
that it ignores. Older schemas are upgraded while reading.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from bentoml.exceptions import BentoMLException, BundleCorrupted, InvalidArgument
from bentoml.tags import validate_service_name, validate_version

from .layout import CONFIG_FILE
from .yaml_text import dump_yaml, read_yaml

DEFAULT_MAX_BATCH_SIZE = 4000
DEFAULT_MAX_LATENCY_MS = 20000


@dataclass(frozen=True, slots=True)
class ApiDescriptor:
    """One API of a saved service.

    `mb_max_latency` is milliseconds (the 0.13 name), `timeout_s` seconds. The fields after
    `output_config` are additions of this line, with the defaults that a 0.13 API has.
    """

    name: str
    route: str
    docs: str = ""
    input_type: str = ""
    output_type: str = "DefaultOutput"
    mb_max_batch_size: int = DEFAULT_MAX_BATCH_SIZE
    mb_max_latency: int = DEFAULT_MAX_LATENCY_MS
    batch: bool = False
    input_config: dict[str, Any] = field(default_factory=dict)
    output_config: dict[str, Any] = field(default_factory=dict)
    http_methods: tuple[str, ...] = ("POST", "GET")
    is_async: bool = False
    max_concurrency: int = 1
    timeout_s: float | None = None
    max_batch_rows: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """The entry of `apis:`; empty configurations and our fields at their defaults are left out."""
        out: dict[str, Any] = {
            "name": self.name,
            "docs": self.docs,
            "input_type": self.input_type,
            "output_type": self.output_type,
            "mb_max_batch_size": self.mb_max_batch_size,
            "mb_max_latency": self.mb_max_latency,
            "batch": self.batch,
            "route": self.route,
        }
        if self.input_config:
            out["input_config"] = self.input_config
        if self.output_config:
            out["output_config"] = self.output_config
        if self.http_methods != ("POST", "GET"):
            out["http_methods"] = list(self.http_methods)
        if self.is_async:
            out["is_async"] = True
        if self.max_concurrency != 1:
            out["max_concurrency"] = self.max_concurrency
        if self.timeout_s is not None:
            out["timeout_s"] = self.timeout_s
        if self.max_batch_rows is not None:
            out["max_batch_rows"] = self.max_batch_rows
        return out


@dataclass(frozen=True, slots=True)
class ArtifactDescriptor:
    name: str
    artifact_type: str
    metadata: dict[str, Any] = field(default_factory=dict)
    packages: dict[str, str] = field(default_factory=dict)
    """Distribution → version of what its pickles import, on the machine that saved it; an addition."""

    def to_dict(self) -> dict[str, Any]:
        row = {"name": self.name, "artifact_type": self.artifact_type, "metadata": self.metadata}
        return {**row, "packages": self.packages} if self.packages else row


@dataclass(frozen=True, slots=True)
class BundleDescriptor:
    """All of `bentoml.yml`. `created_at` is aware, in UTC; `module_file` is relative to the inner folder."""

    name: str
    version: str
    created_at: datetime
    module_name: str
    module_file: str
    bentoml_version: str
    env: dict[str, Any] = field(default_factory=dict)
    apis: tuple[ApiDescriptor, ...] = ()
    artifacts: tuple[ArtifactDescriptor, ...] = ()
    doc: str = ""

    @property
    def tag(self) -> str:
        return f"{self.name}:{self.version}"

    @property
    def python_version(self) -> str:
        return str(self.env.get("python_version") or "")

    def api(self, name: str) -> ApiDescriptor | None:
        return next((api for api in self.apis if api.name == name), None)

    def to_dict(self) -> dict[str, Any]:
        """The document in 0.13's key order."""
        document: dict[str, Any] = {
            "version": self.bentoml_version,
            "kind": "BentoService",
            "metadata": {
                "created_at": self.created_at.astimezone(timezone.utc).replace(tzinfo=None),
                "service_name": self.name,
                "service_version": self.version,
                "module_name": self.module_name,
                "module_file": self.module_file,
            },
            "env": self.env,
            "apis": [api.to_dict() for api in self.apis],
            "artifacts": [artifact.to_dict() for artifact in self.artifacts],
        }
        if self.doc:
            document["metadata"]["doc"] = self.doc
        return document

    def to_yaml(self) -> str:
        return dump_yaml(self.to_dict())


def read_descriptor(path: str | Path) -> BundleDescriptor:
    """Read `<path>/bentoml.yml`, upgrading older schemas; executes nothing of the bundle.

    Raises:
        BentoMLException: there is no `bentoml.yml`.
        BundleCorrupted: it is malformed, or holds a name or version outside the grammar.
    """
    file = Path(path) / CONFIG_FILE
    if not file.is_file():
        raise BentoMLException(
            f"BentoML can't locate config file '{CONFIG_FILE}' in saved bundle in path: {path}"
            + _tag_hint(path)
        )
    return descriptor_from_dict(read_yaml(file), where=str(file))


def _tag_hint(path: str | Path) -> str:
    name = Path(path).name
    return (
        f". For a tag: bentoml.yatai.client.get_yatai_client().repository.load('{name}')"
        if ":" in name
        else ""
    )


def descriptor_from_dict(document: Any, where: str = CONFIG_FILE) -> BundleDescriptor:
    """Check and upgrade a parsed `bentoml.yml`. Raises `BundleCorrupted` naming the field."""
    reader = _Reader(document, where)
    metadata = reader.mapping("metadata")
    name, version = reader.text("service_name", metadata), reader.text("service_version", metadata)
    try:
        validate_service_name(name)
        validate_version(version)
    except InvalidArgument as err:
        raise BundleCorrupted(f"'{where}': {err}") from err
    return BundleDescriptor(
        name=name,
        version=version,
        created_at=_utc(metadata.get("created_at")),
        module_name=reader.text("module_name", metadata),
        module_file=reader.text("module_file", metadata),
        bentoml_version=str(document.get("version") or ""),
        env=dict(document.get("env") or {}),
        apis=tuple(reader.api(row) for row in reader.rows("apis")),
        artifacts=tuple(reader.artifact(row) for row in reader.rows("artifacts")),
        doc=str(metadata.get("doc") or ""),
    )


class _Reader:
    """Typed access to a document of unknown shape, with errors that name the field."""

    def __init__(self, document: Any, where: str) -> None:
        self.where = where
        if not isinstance(document, dict):
            raise BundleCorrupted(f"'{where}' holds {type(document).__name__}, not the mapping of a bundle")
        self.document = document

    def fail(self, key: str, wanted: str, value: Any) -> BundleCorrupted:
        return BundleCorrupted(f"'{self.where}': '{key}' must be {wanted}, not {str(value)[:64]!r}")

    def mapping(self, key: str) -> dict[str, Any]:
        value = self.document.get(key)
        if not isinstance(value, dict):
            raise self.fail(key, "a mapping", value)
        return value

    def rows(self, key: str) -> list[dict[str, Any]]:
        value = self.document.get(key) or []
        if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
            raise self.fail(key, "a list of mappings", value)
        return value

    def text(self, key: str, mapping: dict[str, Any]) -> str:
        value = mapping.get(key)
        if value is None or isinstance(value, (dict, list)) or not str(value):
            raise self.fail(key, "a non-empty text", value)
        return str(value)

    def number(self, key: str, mapping: dict[str, Any], default: int) -> int:
        value = mapping.get(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise self.fail(key, "a whole number above 0", value)
        return value

    def config(self, key: str, mapping: dict[str, Any]) -> dict[str, Any]:
        value = mapping.get(key) or {}
        if not isinstance(value, dict):
            raise self.fail(key, "a mapping", value)
        return dict(value)

    def api(self, row: dict[str, Any]) -> ApiDescriptor:
        """An entry of `apis:`; `handler_*` is the form before 0.8, a missing route that before 0.11."""
        name = self.text("name", row)
        old = "input_type" not in row and "handler_type" in row
        return ApiDescriptor(
            name=name,
            route=str(row.get("route") or name).lstrip("/"),
            docs=str(row.get("docs") or ""),
            input_type=self.text("handler_type" if old else "input_type", row),
            output_type=str(row.get("output_type") or "DefaultOutput"),
            mb_max_batch_size=self.number("mb_max_batch_size", row, DEFAULT_MAX_BATCH_SIZE),
            mb_max_latency=self.number("mb_max_latency", row, DEFAULT_MAX_LATENCY_MS),
            batch=bool(row.get("batch", False)),
            input_config=self.config("handler_config" if old else "input_config", row),
            output_config=self.config("output_config", row),
            http_methods=tuple(str(m) for m in row.get("http_methods") or ("POST", "GET")),
            is_async=bool(row.get("is_async", False)),
            max_concurrency=self.number("max_concurrency", row, 1),
            timeout_s=self._timeout(row),
            max_batch_rows=self.number("max_batch_rows", row, 0) or None,
        )

    def _timeout(self, row: dict[str, Any]) -> float | None:
        value = row.get("timeout_s")
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
            raise self.fail("timeout_s", "a number of seconds above 0", value)
        return float(value)

    def artifact(self, row: dict[str, Any]) -> ArtifactDescriptor:
        return ArtifactDescriptor(
            name=self.text("name", row),
            artifact_type=self.text("artifact_type", row),
            metadata=self.config("metadata", row),
            packages={str(k): str(v) for k, v in self.config("packages", row).items()},
        )


def _utc(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=timezone.utc)
    return datetime.fromtimestamp(0, timezone.utc)
