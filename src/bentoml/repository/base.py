"""What a repository of bundles is, and the record it keeps of each bundle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from bentoml.service import BentoService

DEFAULT_LIST_LIMIT = 40
URI_TYPES = ("UNSET", "LOCAL", "S3", "GCS", "AZURE_BLOB_STORAGE", "HDFS")
DONE = "DONE"
BROKEN = "ERROR"  # the row is there, the files are not

_PROTO_NAMES = {
    "created_at": "createdAt",
    "setup_sh": "setupSh",
    "conda_env": "condaEnv",
    "pip_dependencies": "pipDependencies",
    "python_version": "pythonVersion",
    "docker_base_image": "dockerBaseImage",
    "pip_packages": "pipPackages",
    "requirements_txt": "requirementsTxt",
    "artifact_type": "artifactType",
    "input_type": "inputType",
    "input_config": "inputConfig",
    "output_config": "outputConfig",
    "output_type": "outputType",
    "mb_max_latency": "mbMaxLatency",
    "mb_max_batch_size": "mbMaxBatchSize",
}
_USER_OWNED = {"metadata", "labels", "input_config", "output_config"}  # keys inside are left alone


@dataclass(frozen=True, slots=True)
class BundleRecord:
    """One saved bundle, as the index knows it.

    Attributes:
        uri: where it is stored: a directory, or an address such as `s3://…`.
        uri_type: LOCAL, S3, GCS, …
        created_at: when the bundle was made (UTC, no time zone), `None` if unknown.
        metadata: the `BentoServiceMetadata` record in snake_case.
        status: `DONE`, or `ERROR` when the files are gone.
        row_id: grows with every bundle that is added.
        revision: grows with every change of the record.
        size_bytes: of all files; None if nobody measured it.
        digest: SHA-256 over the manifest, "" if there is none.
        lineage: where it came from: `git_commit`, `parent`, `dataset`, …
        added_at: when it was added to the repository (UTC, no time zone).
    """

    name: str
    version: str
    uri: str
    created_at: datetime | None
    labels: dict[str, str] = field(default_factory=dict)
    apis: tuple[dict[str, Any], ...] = ()
    artifacts: tuple[dict[str, Any], ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)
    status: str = DONE
    uri_type: str = "LOCAL"
    row_id: int = 0
    revision: int = 0
    size_bytes: int | None = None
    digest: str = ""
    note: str = ""
    lineage: dict[str, str] = field(default_factory=dict)
    created_by: str = ""
    added_at: datetime | None = None
    deleted_at: datetime | None = None
    aliases: tuple[str, ...] = ()

    @property
    def tag(self) -> str:
        return f"{self.name}:{self.version}"

    def to_dict(self) -> dict[str, Any]:
        """The record with the camelCase keys that `bentoml get -o json` prints."""
        metadata = dict(self.metadata)
        if self.labels:
            metadata["labels"] = self.labels
        return {
            "name": self.name,
            "version": self.version,
            "uri": {"type": self.uri_type, "uri": self.uri},
            "bentoServiceMetadata": _camel_case(metadata),
            "status": {"status": self.status},
            **self._registry_details(),
        }

    def _registry_details(self) -> dict[str, Any]:
        """What 0.13 did not know, where there is something to say."""
        details = {"lineage": dict(self.lineage), "aliases": list(self.aliases), "note": self.note}
        return {key: value for key, value in details.items() if value}


class Repository(Protocol):
    """Where bundles live. Every name given to it is checked against the grammar of `bentoml.tags`."""

    def save(
        self, service: BentoService, version: str | None = None, labels: Mapping[str, str] | None = None
    ) -> Path:
        """Write `service` as a bundle and add it. Raises `AlreadyExists`, `InvalidArgument`."""
        ...

    def add_directory(self, path: Path, labels: Mapping[str, str] | None = None) -> Path:
        """Add a copy of the bundle in `path`. Raises `AlreadyExists`, `BundleCorrupted`."""
        ...

    def get(self, name: str, version: str) -> BundleRecord:
        """The record of one bundle; version `latest` is the newest. Raises `NotFound`."""
        ...

    def list(
        self,
        name: str | None = None,
        labels: str | None = None,
        offset: int = 0,
        limit: int | None = None,
        order_by: str = "created_at",
        ascending: bool = False,
    ) -> list[BundleRecord]:
        """Records matching a name and a label query, newest first."""
        ...

    def delete(self, name: str, version: str) -> None:
        """Remove one bundle. Raises `NotFound`."""
        ...


def _camel_case(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_camel_case(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        _PROTO_NAMES.get(key, key): item if key in _USER_OWNED else _camel_case(item)
        for key, item in value.items()
    }
