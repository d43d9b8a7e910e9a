"""What Alembic runs: our migrations, over the connection that it is given, in whose transaction it is."""

from alembic import context

from app.storage.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    compare_type=True,
    transactional_ddl=True,  # on SQLite too, see app.storage.migration
)
with context.begin_transaction():
    context.run_migrations()
