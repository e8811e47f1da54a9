"""Alembic runs this file, in the transaction that `migrate.py` was given."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
