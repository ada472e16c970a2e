"""Run by alembic for each command: works on the connection `app.db.migrate` hands over, inside its transaction."""

from alembic import context

from app.db.models import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
with context.begin_transaction():
    context.run_migrations()
