"""Locks are named by text. The last revision of the 0.13 line.

Revision ID: 370a2bf2e594
Revises: af18f0b83286
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "370a2bf2e594"
down_revision = "af18f0b83286"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("locks") as locks:
        locks.alter_column("resource_id", type_=sa.String, existing_type=sa.Integer, existing_nullable=False)
