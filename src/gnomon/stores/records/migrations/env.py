"""What Alembic runs before the migrations: it takes the connection that it was given, with its transaction."""

from alembic import context

from gnomon.stores.records.schema import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
