"""Bundle records in the attribute shape that 0.13's protobuf messages had.

Scripts of the 0.13 line read `bento.uri.uri` and `bento.bento_service_metadata.apis[0].name`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bentoml.repository.base import BundleRecord

_URI_TYPES = {"UNSET": 0, "LOCAL": 1, "S3": 2, "GCS": 3, "AZURE_BLOB_STORAGE": 4, "HDFS": 5}
_STATUSES = {"UNINITIALIZED": 0, "UPLOADING": 1, "DONE": 2, "ERROR": 3, "TIMEOUT": 4}


@dataclass(frozen=True, slots=True)
class BentoUri:
    """Where a bundle is stored; `type` is the number of the protocol's enumeration."""

    type: int
    uri: str
    s3_presigned_url: str = ""
    gcs_presigned_url: str = ""


@dataclass(frozen=True, slots=True)
class Bento:
    """One saved bundle as `get` and `list` of the client return it."""

    name: str
    version: str
    uri: BentoUri
    bento_service_metadata: SimpleNamespace
    status: SimpleNamespace
    record: BundleRecord = field(repr=False)

    @property
    def tag(self) -> str:
        return f"{self.name}:{self.version}"

    @property
    def lineage(self) -> dict[str, str]:
        """Where the model comes from, as it was said when the bundle was saved."""
        return self.record.lineage

    @property
    def aliases(self) -> tuple[str, ...]:
        """The aliases of a server that point to the bundle."""
        return self.record.aliases


def as_bento(record: BundleRecord) -> Bento:
    """The attribute view of a record."""
    metadata = _namespace(record.metadata)
    metadata.labels = dict(record.labels)
    metadata.apis = [_namespace(api) for api in record.apis]
    metadata.artifacts = [_namespace(artifact) for artifact in record.artifacts]
    metadata.created_at = record.created_at
    return Bento(
        name=record.name,
        version=record.version,
        uri=BentoUri(_URI_TYPES.get(record.uri_type, 0), record.uri),
        bento_service_metadata=metadata,
        status=SimpleNamespace(status=_STATUSES.get(record.status, 0)),
        record=record,
    )


def _namespace(values: dict[str, Any]) -> SimpleNamespace:
    """Attributes for the first level; `env` for the second. Deeper values stay dictionaries."""
    fields = dict(values)
    if isinstance(fields.get("env"), dict):
        fields["env"] = SimpleNamespace(**fields["env"])
    return SimpleNamespace(**fields)
