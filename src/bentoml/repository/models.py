"""The tables of the index, as the 0.13 line made them, plus the indexes this line adds.

Column names, types and the text of enumerations are a file format: a `storage.db` of 0.13 is opened
and upgraded in place by the migrations next to this file.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from sqlalchemy import JSON, DateTime, Enum, Index, String, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

URI_TYPES = ("UNSET", "LOCAL", "S3", "GCS", "AZURE_BLOB_STORAGE", "HDFS")


def utc_now() -> datetime:
    """The current time in UTC without a zone, as every column stores it."""
    return datetime.now(timezone.utc).replace(tzinfo=None)


class Base(DeclarativeBase):
    type_annotation_map = {dict[str, Any]: JSON, str: String}  # noqa: RUF012 - SQLAlchemy's protocol


class Bento(Base):
    """One saved bundle. At most one row of a name and version is not marked as deleted."""

    __tablename__ = "bentos"
    __table_args__ = (
        Index(
            "uq_bentos_live_name_version",
            "name",
            "version",
            unique=True,
            sqlite_where=text("deleted = 0"),
            postgresql_where=text("deleted = false"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    version: Mapped[str]
    uri: Mapped[str]
    uri_type: Mapped[str | None] = mapped_column(Enum(*URI_TYPES, name="uri_type", create_constraint=True))
    bento_service_metadata: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime | None] = mapped_column(DateTime, default=utc_now)
    upload_status: Mapped[dict[str, Any]]
    deleted: Mapped[bool | None] = mapped_column(default=False)


class Deployment(Base):
    """A deployment of the 0.13 line; kept so that the table survives an upgrade unchanged."""

    __tablename__ = "deployments"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    namespace: Mapped[str]
    spec: Mapped[dict[str, Any]] = mapped_column(default=dict)
    state: Mapped[dict[str, Any]] = mapped_column(default=dict)
    annotations: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime | None] = mapped_column(DateTime, default=utc_now)
    last_updated_at: Mapped[datetime | None] = mapped_column(DateTime, default=utc_now)


class Label(Base):
    """One label of a bundle or a deployment."""

    __tablename__ = "labels"
    __table_args__ = (Index("ix_labels_resource", "resource_type", "resource_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    resource_type: Mapped[str | None] = mapped_column(
        Enum("deployment", "bento", name="resource_type", create_constraint=True)
    )
    resource_id: Mapped[int]
    key: Mapped[str]
    value: Mapped[str]


class Lock(Base):
    """A lock of the 0.13 line. This line locks with the operating system and leaves the table empty."""

    __tablename__ = "locks"

    id: Mapped[int] = mapped_column(primary_key=True)
    resource_id: Mapped[str] = mapped_column(unique=True)
    lock_status: Mapped[str | None] = mapped_column(
        Enum("read_lock", "write_lock", name="lock_status", create_constraint=True)
    )
    locks_held: Mapped[int | None]
    ttl: Mapped[datetime | None] = mapped_column(DateTime)
