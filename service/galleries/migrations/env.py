"""Run by Alembic within the transaction that `records/upgrade.py` began."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
