"""Uploads in progress: what is expected, and how they ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from bentoml.repository.models import uploads, utc_now

RECEIVING, DONE, FAILED = "RECEIVING", "DONE", "FAILED"


@dataclass(frozen=True, slots=True)
class Upload:
    """One upload; `size_bytes` and `sha256` are those of the whole tar archive."""

    id: str
    name: str
    version: str
    size_bytes: int
    sha256: str
    labels: Mapping[str, str]
    lineage: Mapping[str, str]
    state: str
    error: str
    started_by: str
    started_at: datetime
    updated_at: datetime


def put(connection: Connection, values: Mapping[str, Any]) -> Upload:
    """Note a new upload, or begin one of the same id again."""
    now = utc_now()
    connection.execute(delete(uploads).where(uploads.c.id == values["id"]))
    row = {**values, "state": RECEIVING, "error": "", "started_at": now, "updated_at": now}
    connection.execute(insert(uploads).values(row))
    return Upload(**row)


def find(connection: Connection, upload_id: str) -> Upload | None:
    row = connection.execute(select(uploads).where(uploads.c.id == upload_id)).mappings().first()
    return None if row is None else Upload(**row)


def settle(connection: Connection, upload_id: str, state: str, error: str = "") -> None:
    query = update(uploads).where(uploads.c.id == upload_id)
    connection.execute(query.values(state=state, error=error, updated_at=utc_now()))


def remove_older(connection: Connection, moment: datetime) -> list[str]:
    """Forget uploads that nothing happened to since then; returns their ids."""
    old = list(connection.scalars(select(uploads.c.id).where(uploads.c.updated_at < moment)))
    connection.execute(delete(uploads).where(uploads.c.id.in_(old)))
    return old


def touch(connection: Connection, upload_id: str) -> None:
    connection.execute(update(uploads).where(uploads.c.id == upload_id).values(updated_at=utc_now()))
