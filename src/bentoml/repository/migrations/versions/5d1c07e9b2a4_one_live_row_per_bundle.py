"""One live row per name and version, and fast look-ups by bundle and by label.

The 0.13 line meant name and version to be unique, but its declaration had no effect. Of several live
rows the newest stays; they share one directory. The 0.13 line cannot open the result, hence the backup.

Revision ID: 5d1c07e9b2a4
Revises: 370a2bf2e594
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "5d1c07e9b2a4"
down_revision = "370a2bf2e594"
branch_labels = None
depends_on = None


def upgrade() -> None:
    bentos = sa.table(
        "bentos", *(sa.column(name) for name in ("id", "name", "version")), sa.column("deleted", sa.Boolean)
    )
    op.execute(bentos.update().where(bentos.c.deleted.is_(None)).values(deleted=False))
    newest = (
        sa.select(sa.func.max(bentos.c.id))
        .where(bentos.c.deleted == sa.false())
        .group_by(bentos.c.name, bentos.c.version)
    )
    op.execute(
        bentos.update().where(bentos.c.deleted == sa.false(), bentos.c.id.not_in(newest)).values(deleted=True)
    )
    op.create_index(
        "uq_bentos_live_name_version",
        "bentos",
        ["name", "version"],
        unique=True,
        sqlite_where=sa.text("deleted = 0"),
        postgresql_where=sa.text("deleted = false"),
    )
    op.create_index("ix_labels_resource", "labels", ["resource_type", "resource_id"])
