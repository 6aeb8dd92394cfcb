"""Alembic runs this file; every service's migrations use it. The runner hands over an open connection."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=context.config.attributes.get("metadata"),
    render_as_batch=connection.dialect.name == "sqlite",
)
# The runner's transaction: all revisions or none. Alembic begins none of its own.
context.run_migrations()
