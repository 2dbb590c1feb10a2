"""What alembic runs: the migrations, on the connection that ``shared.storage.migrate`` hands in.

Alembic executes this file itself; it is no module of the product, and nothing imports it.
"""

import logging

from alembic import context

from shared.storage.kept import KEPT

# Its information lines are no JSON; what matters of a migration is said by who asked for it.
logging.getLogger("alembic").setLevel(logging.WARNING)

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=KEPT,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
