"""Alembic's entry: it works on the connection that `bentoml.repository.migrate` hands over."""

from __future__ import annotations

from alembic import context

from bentoml.repository.models import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
context.run_migrations()
