"""How Alembic reaches the database: over the connection that :func:`abide_server.store.migrate.migrate` hands in."""

from __future__ import annotations

from alembic import context

from abide_server.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
