"""Alembic's entry: runs the migrations on the connection it is handed, inside the caller's transaction."""

from alembic import context

from wastelab.lab.schema import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    transactional_ddl=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
