"""Retention rules: how many bundles of a name stay.

The previous release can read and write what this revision leaves behind.

Revision ID: e47a1b5c90d2
Revises: b2f94d7c1e63
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "e47a1b5c90d2"
down_revision = "b2f94d7c1e63"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "retention_rules",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("keep_last", sa.Integer),
        sa.Column("set_at", sa.DateTime, nullable=False),
        sa.Column("set_by", sa.String, nullable=False),
        sa.Column("applied_at", sa.DateTime),
    )
