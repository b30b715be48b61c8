"""What Alembic runs: it reaches the database of the settings and compares it with the models of every module."""

import asyncio
import logging
from functools import partial

from alembic import context
from asyncpg import RaiseError
from sqlalchemy import Connection, NullPool, text
from sqlalchemy.exc import DBAPIError

from gateway.embedded import check_database, shared_servers
from gateway.errors import SettingsError
from gateway.migrate import import_models, version_locations
from gateway.settings import Settings, load_settings
from services.jobs.names import TABLES
from services.storage.base import Base
from services.storage.connecting import connect, engine
from services.storage.constraints import cause_of, state_of
from services.storage.outages import Outage, outage_of

# Any number that no other program locks in this database; several gateways may migrate at the same moment.
MIGRATION_LOCK = 0x4859_4252


def is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """Whether what is in the database is compared with the models: PgQueuer's tables have none."""
    return kind != "table" or name not in TABLES


def run(connection: Connection) -> None:
    """Migrate, or compare, over `connection`, one process at a time."""
    context.configure(connection=connection, target_metadata=Base.metadata, include_name=is_ours)
    with context.begin_transaction():
        connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        try:
            context.run_migrations()
        except DBAPIError as error:
            # A migration refuses a database by RAISE EXCEPTION, with a sentence.
            cause = getattr(error.orig, "__cause__", None)
            if isinstance(cause, RaiseError):
                raise SettingsError(f"The database cannot be migrated. {cause}") from None
            if outage_of(state_of(error)) in (Outage.DEMOTED, Outage.BUSY, Outage.LOST, Outage.RACE):
                said = str(cause_of(error)).partition("\n")[0]
                raise SettingsError(f"The database cannot be migrated now: {said}. Nothing was changed.") from None
            raise


def run_offline() -> None:
    """Write the migrations out as SQL (`alembic upgrade head --sql`), which needs no server."""
    context.configure(dialect_name="postgresql", target_metadata=Base.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()


async def run_online(settings: Settings) -> None:
    """Connect to the database of `settings` and run."""
    address = (await check_database(settings)).database
    opened = engine(address, partial(connect, address, {}), poolclass=NullPool)
    try:
        async with opened.connect() as connection:
            await connection.run_sync(run)
            await connection.commit()
    finally:
        await opened.dispose()


def main() -> None:
    """Run by whichever way Alembic was called: with a connection, with settings, or from its command line."""
    settings = context.config.attributes.get("settings") or load_settings()
    import_models(settings)
    # The command line's configuration is static: packages outside this repository are added here.
    context.script.version_locations = version_locations(settings)
    connection = context.config.attributes.get("connection")
    if context.is_offline_mode():
        run_offline()
    elif connection is not None:
        run(connection)
    else:
        with shared_servers(settings) as reached:
            asyncio.run(run_online(reached))


if context.config.cmd_opts is not None:
    logging.basicConfig(format="%(message)s")
    logging.getLogger("alembic.runtime.migration").setLevel(logging.INFO)
try:
    main()
except SettingsError as error:
    if context.config.cmd_opts is None:
        raise  # the gateway's own command line shows it
    raise SystemExit(str(error)) from None
