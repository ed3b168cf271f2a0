"""Labels of bundles and deployments move to a table of their own.

Revision ID: 719dd2aacc9a
Revises: a6b00ae45279
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "719dd2aacc9a"
down_revision = "a6b00ae45279"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "labels",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column(
            "resource_type", sa.Enum("deployment", "bento", name="resource_type", create_constraint=True)
        ),
        sa.Column("resource_id", sa.Integer, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("value", sa.String, nullable=False),
    )
    with op.batch_alter_table("deployments") as deployments:
        deployments.drop_column("labels")
