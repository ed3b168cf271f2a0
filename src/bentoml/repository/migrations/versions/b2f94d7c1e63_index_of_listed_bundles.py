"""An index of what lists show, for counts and lists of names.

The previous release can read and write what this revision leaves behind.

Revision ID: b2f94d7c1e63
Revises: 8c3b6f1a90d7
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "b2f94d7c1e63"
down_revision = "8c3b6f1a90d7"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.create_index(
            "ix_bentos_listed",
            "bentos",
            ["name"],
            sqlite_where=sa.text("deleted = 0 AND json_extract(upload_status, '$.status') = 'DONE'"),
        )
    else:
        op.create_index(
            "ix_bentos_listed_id",
            "bentos",
            ["id"],
            postgresql_include=["name"],
            postgresql_where=sa.text("deleted = false AND (upload_status ->> 'status') = 'DONE'"),
        )
