"""Locks of the 0.13 server.

Revision ID: af18f0b83286
Revises: 719dd2aacc9a
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "af18f0b83286"
down_revision = "719dd2aacc9a"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "locks",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("resource_id", sa.Integer, nullable=False, unique=True),
        sa.Column(
            "lock_status", sa.Enum("read_lock", "write_lock", name="lock_status", create_constraint=True)
        ),
        sa.Column("locks_held", sa.Integer),
        sa.Column("ttl", sa.DateTime),
    )
