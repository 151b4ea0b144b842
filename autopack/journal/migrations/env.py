"""Run by Alembic. The connection is the caller's, inside the caller's transaction: all revisions or none."""

from alembic import context

from autopack.journal import tables

context.configure(connection=context.config.attributes["connection"], target_metadata=tables.metadata)
with context.begin_transaction():
    context.run_migrations()
