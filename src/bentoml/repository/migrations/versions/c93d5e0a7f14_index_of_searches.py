"""An index of what searches compare, on SQLite.

The previous release can read and write what this revision leaves behind.

Revision ID: c93d5e0a7f14
Revises: e47a1b5c90d2
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "c93d5e0a7f14"
down_revision = "e47a1b5c90d2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.create_index(
            "ix_bentos_search",
            "bentos",
            ["name", "version", "note", "size_bytes", "revision"],
            sqlite_where=sa.text("deleted = 0 AND json_extract(upload_status, '$.status') = 'DONE'"),
        )
