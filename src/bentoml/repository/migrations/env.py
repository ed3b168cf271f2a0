"""Alembic's entry: it works on the connection that `bentoml.repository.migrate` hands over."""

from __future__ import annotations

from alembic import context

from bentoml.repository.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
)
context.run_migrations()
