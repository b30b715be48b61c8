"""PgQueuer's tables are those that the migration was written for."""

from __future__ import annotations

from hashlib import sha256

import asyncpg
from pgqueuer.db import AsyncpgDriver

from gateway.settings import Settings
from services.jobs.names import INSTALL, queries

WRITTEN_FOR = "37330341e1a6aa56"
"""A digest of the statements that make PgQueuer's tables, the line with its version left aside."""


def test_release_of_pgqueuer_that_makes_other_tables_needs_a_migration() -> None:
    statements = INSTALL.partition("\n")[2]
    assert sha256(statements.encode()).hexdigest()[:16] == WRITTEN_FOR, (
        "Add a migration that runs PgQueuer's plan_upgrade(), and put the new digest here."
    )


async def test_pgqueuer_finds_nothing_to_upgrade_in_a_migrated_database(settings: Settings) -> None:
    connection = await asyncpg.connect(settings.database_url)
    try:
        plan = await queries(AsyncpgDriver(connection)).plan_upgrade()
    finally:
        await connection.close()
    assert list(plan.statements) == []
