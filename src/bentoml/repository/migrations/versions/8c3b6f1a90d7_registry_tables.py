"""What a team's registry keeps: aliases, events, tokens, uploads, and more about each bundle.

Revision ID: 8c3b6f1a90d7
Revises: 5d1c07e9b2a4
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "8c3b6f1a90d7"
down_revision = "5d1c07e9b2a4"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _extend_bentos()
    _finish_uploads_of_013()
    _extend_deployments()
    op.create_index("ix_labels_key_value", "labels", ["key", "value"])
    _create_aliases()
    _create_events()
    _create_tokens()
    _create_uploads()


def _extend_bentos() -> None:
    for column in (
        sa.Column("revision", sa.Integer, nullable=False, server_default="0"),
        sa.Column("size_bytes", sa.BigInteger),
        sa.Column("digest", sa.String),
        sa.Column("note", sa.Text, nullable=False, server_default=""),
        sa.Column("lineage", sa.JSON),
        sa.Column("created_by", sa.String),
        sa.Column("deleted_at", sa.DateTime),
        sa.Column("trash", sa.String),
    ):
        op.add_column("bentos", column)
    op.create_index("ix_bentos_name_id", "bentos", ["name", "id"])


def _finish_uploads_of_013() -> None:
    """A server of 0.13 ended every streamed upload by overwriting its status DONE with an empty one.

    Rows of uploads that were only announced have no metadata and stay as they are.
    """
    bentos = sa.table(
        "bentos",
        sa.column("id"),
        sa.column("bento_service_metadata", sa.JSON),
        sa.column("upload_status", sa.JSON),
    )
    connection = op.get_bind()
    for row in connection.execute(sa.select(bentos)).all():
        status = row.upload_status or {}
        if row.bento_service_metadata and status.get("status", "UNINITIALIZED") == "UNINITIALIZED":
            done = {**status, "status": "DONE"}
            connection.execute(bentos.update().where(bentos.c.id == row.id).values(upload_status=done))


def _extend_deployments() -> None:
    op.add_column("deployments", sa.Column("operator_data", sa.JSON))
    deployments = sa.table("deployments", sa.column("id"), sa.column("namespace"), sa.column("name"))
    newest = sa.select(sa.func.max(deployments.c.id)).group_by(deployments.c.namespace, deployments.c.name)
    op.execute(deployments.delete().where(deployments.c.id.not_in(newest)))
    op.create_index("uq_deployments_namespace_name", "deployments", ["namespace", "name"], unique=True)


def _create_aliases() -> None:
    op.create_table(
        "aliases",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("alias", sa.String, nullable=False),
        sa.Column("version", sa.String, nullable=False),
        sa.Column("moved_at", sa.DateTime, nullable=False),
        sa.Column("moved_by", sa.String, nullable=False),
        sa.UniqueConstraint("name", "alias", name="uq_aliases_name_alias"),
    )
    op.create_table(
        "alias_moves",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("alias", sa.String, nullable=False),
        sa.Column("from_version", sa.String),
        sa.Column("to_version", sa.String),
        sa.Column("moved_at", sa.DateTime, nullable=False),
        sa.Column("moved_by", sa.String, nullable=False),
    )
    op.create_index("ix_alias_moves_name_alias", "alias_moves", ["name", "alias"])


def _create_events() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("happened_at", sa.DateTime, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("action", sa.String, nullable=False),
        sa.Column("resource_type", sa.String, nullable=False),
        sa.Column("resource", sa.String, nullable=False),
        sa.Column("details", sa.JSON, nullable=False),
    )
    op.create_index("ix_events_resource", "events", ["resource_type", "resource"])


def _create_tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String, nullable=False, unique=True),
        sa.Column("sha256", sa.String, nullable=False, unique=True),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("created_by", sa.String, nullable=False),
        sa.Column("expires_at", sa.DateTime),
        sa.Column("last_used_at", sa.DateTime),
        sa.Column("revoked_at", sa.DateTime),
    )


def _create_uploads() -> None:
    op.create_table(
        "uploads",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("version", sa.String, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String, nullable=False),
        sa.Column("labels", sa.JSON, nullable=False),
        sa.Column("lineage", sa.JSON, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("error", sa.Text, nullable=False, server_default=""),
        sa.Column("started_by", sa.String, nullable=False),
        sa.Column("started_at", sa.DateTime, nullable=False),
        sa.Column("updated_at", sa.DateTime, nullable=False),
    )
