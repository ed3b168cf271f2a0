"""Deployments of the 0.13 line know when they were last changed.

Revision ID: a6b00ae45279
Revises: nothing; the tables before it were created without revisions
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "a6b00ae45279"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("deployments", sa.Column("last_updated_at", sa.DateTime))
