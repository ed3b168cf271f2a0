"""The tables of the index, as the 0.13 line made them, plus the indexes this line adds.

Column names, types and the text of enumerations are a file format: a `storage.db` of 0.13 is opened
and upgraded in place by the migrations next to this file. Tables, not mapped classes: every query is
one statement, and the ORM would add a tenth of a second to each command.
"""

from __future__ import annotations

from datetime import datetime, timezone

from sqlalchemy import JSON, Boolean, Column, DateTime, Enum, Index, Integer, MetaData, String, Table, text

URI_TYPES = ("UNSET", "LOCAL", "S3", "GCS", "AZURE_BLOB_STORAGE", "HDFS")

metadata = MetaData()


def utc_now() -> datetime:
    """The current time in UTC without a zone, as every column stores it."""
    return datetime.now(timezone.utc).replace(tzinfo=None)


def _choice(name: str, *values: str) -> Enum:
    return Enum(*values, name=name, create_constraint=True)


bentos = Table(
    "bentos",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False),
    Column("version", String, nullable=False),
    Column("uri", String, nullable=False),
    Column("uri_type", _choice("uri_type", *URI_TYPES)),
    Column("bento_service_metadata", JSON, nullable=False),
    Column("created_at", DateTime),
    Column("upload_status", JSON, nullable=False),
    Column("deleted", Boolean),
)
Index(
    "uq_bentos_live_name_version",
    bentos.c.name,
    bentos.c.version,
    unique=True,
    sqlite_where=text("deleted = 0"),
    postgresql_where=text("deleted = false"),
)

# Deployments of the 0.13 line; kept so that the table survives an upgrade unchanged.
deployments = Table(
    "deployments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False),
    Column("namespace", String, nullable=False),
    Column("spec", JSON, nullable=False),
    Column("state", JSON, nullable=False),
    Column("annotations", JSON, nullable=False),
    Column("created_at", DateTime),
    Column("last_updated_at", DateTime),
)

labels = Table(
    "labels",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("resource_type", _choice("resource_type", "deployment", "bento")),
    Column("resource_id", Integer, nullable=False),
    Column("key", String, nullable=False),
    Column("value", String, nullable=False),
)
Index("ix_labels_resource", labels.c.resource_type, labels.c.resource_id)

# Locks of the 0.13 line. This line locks with the operating system and leaves the table empty.
locks = Table(
    "locks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("resource_id", String, nullable=False, unique=True),
    Column("lock_status", _choice("lock_status", "read_lock", "write_lock")),
    Column("locks_held", Integer),
    Column("ttl", DateTime),
)
