"""Run Alembic's migrations without its command line, from a checkout or from an installed wheel."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import structlog
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import NullPool
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.errors import SettingsError
from gateway.settings import DEFAULT_MODULES, Settings
from services.storage.connecting import connect, engine
from services.storage.constraints import state_of
from services.storage.outages import Outage, outage_of

log = structlog.get_logger(__name__)


def migrations_path() -> Path:
    """Return the folder with `env.py` and `versions/`: in this package in a wheel, beside it in a checkout."""
    packaged = Path(__file__).parent / "migrations"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent / "alembic"


def _packages(settings: Settings) -> Iterator[ModuleSpec]:
    """The packages whose models make up the schema, in order; the catalogue reports those that are missing.

    The gateway's own are always included, since its migrations create their tables, whether they are served or not.
    """
    for package in dict.fromkeys([*DEFAULT_MODULES, *settings.MODULES]):
        with suppress(ModuleNotFoundError):
            if spec := find_spec(package):
                yield spec


def import_models(settings: Settings) -> list[ModuleType]:
    """Import the module `models` of every package that has one, which registers its tables with the metadata."""
    names = [f"{package.name}.models" for package in _packages(settings)]
    return [import_module(name) for name in names if find_spec(name) is not None]


def version_locations(settings: Settings) -> list[str]:
    """Return the folders with migrations: the gateway's own, then the `migrations` of each package that has some."""
    folders = [Path(folder) for each in _packages(settings) for folder in each.submodule_search_locations or ()]
    own = [folder / "migrations" for folder in folders if (folder / "migrations").is_dir()]
    return [str(location) for location in (migrations_path() / "versions", *own)]


def alembic_config(settings: Settings) -> Config:
    config, folders = Config(), "\n".join(version_locations(settings))
    config.set_main_option("path_separator", "newline")
    for name, value in (("script_location", str(migrations_path())), ("version_locations", folders)):
        config.set_main_option(name, value.replace("%", "%%"))  # which would be interpolated
    # env.py reads them here; under the command line of Alembic it loads them itself.
    config.attributes["settings"] = settings
    return config


class MigrationState(StrEnum):
    """The state of a database's schema relative to this version."""

    CURRENT = "current"
    AHEAD = "ahead"
    """Migrated by a newer version, or by a package that MODULES no longer names; this version still works."""
    BEHIND = "behind"


@dataclass(frozen=True, slots=True)
class Revisions:
    """The revisions that this version knows, those of its packages included."""

    script: ScriptDirectory

    @classmethod
    def of(cls, settings: Settings) -> Revisions:
        return cls(ScriptDirectory.from_config(alembic_config(settings)))

    @property
    def heads(self) -> frozenset[str]:
        return frozenset(self.script.get_heads())

    def unknown(self, revisions: Collection[str]) -> frozenset[str]:
        """Return those of a database's revisions that this version does not know."""
        return frozenset(revisions) - {script.revision for script in self.script.walk_revisions()}

    def standing(self, revisions: Collection[str]) -> MigrationState:
        """Return the state of a database whose table of versions holds these revisions.

        Alembic omits revisions on which others in that table depend; they count as applied.
        """
        unknown = self.unknown(revisions)
        known = frozenset(revisions) - unknown
        if unknown:
            return MigrationState.AHEAD if known <= self.heads else MigrationState.BEHIND
        applied = {script.revision for script in self.script.get_all_current(tuple(known))} if known else set()
        return MigrationState.CURRENT if self.heads <= applied else MigrationState.BEHIND


async def found_revisions(probe: AsyncEngine) -> frozenset[str]:
    """Return the revisions in a database's table of versions; none if there is no such table."""
    try:
        async with probe.connect() as connection:
            return frozenset((await connection.exec_driver_sql("select version_num from alembic_version")).scalars())
    except DBAPIError as error:
        if outage_of(state_of(error)) is Outage.UNMIGRATED:
            return frozenset()
        raise


async def standing_of(probe: AsyncEngine, settings: Settings) -> MigrationState:
    return Revisions.of(settings).standing(await found_revisions(probe))


async def check_migrated(probe: AsyncEngine, settings: Settings) -> None:
    """Raise SettingsError if the database lacks migrations of this version."""
    if await standing_of(probe, settings) is MigrationState.BEHIND:
        raise SettingsError("The database is not at the newest version: run `gateway migrate`.")


def upgrade(settings: Settings) -> str | None:
    """Upgrade the database of `settings` to the newest version.

    Returns a sentence if nothing was done because the database is ahead of this version. Raises SettingsError if the
    database has unknown revisions and lacks others. Runs an event loop, so it must be called outside of one.
    """
    revisions = Revisions.of(settings)
    applied = asyncio.run(_applied(settings))
    unknown = ", ".join(sorted(revisions.unknown(applied)))
    if revisions.standing(applied) is MigrationState.AHEAD:
        return f"The database is ahead of this version, which does not know revision {unknown}. Nothing was changed."
    if unknown:
        raise SettingsError(
            f"The database has revision {unknown}, of a newer version or of a package that MODULES does not name, and"
            " lacks others of this version: migrate it with all of its packages. Nothing was changed."
        )
    command.upgrade(alembic_config(settings), "heads")
    return None


def downgrade(settings: Settings) -> None:
    """Drop every table, with all data. Raises SettingsError if the database has unknown revisions."""
    _known(settings)
    command.downgrade(alembic_config(settings), "base")


def step_back(settings: Settings) -> None:
    """Undo the newest migration. Raises SettingsError if the database has several newest or unknown ones."""
    applied = _known(settings)
    if len(applied) != 1:
        raise SettingsError(
            f"The database has {len(applied)} newest migrations, {', '.join(sorted(applied))}: have Alembic undo one"
            " of them (`alembic downgrade BRANCH@-1`). Nothing was changed."
        )
    command.downgrade(alembic_config(settings), "-1")


def _known(settings: Settings) -> frozenset[str]:
    applied = asyncio.run(_applied(settings))
    unknown = ", ".join(sorted(Revisions.of(settings).unknown(applied)))
    if unknown:
        raise SettingsError(f"This version does not know revision {unknown} of the database. Nothing was changed.")
    return applied


async def _applied(settings: Settings) -> frozenset[str]:
    address = settings.database
    probe = engine(address, partial(connect, address, {}), poolclass=NullPool)
    try:
        return await found_revisions(probe)
    finally:
        await probe.dispose()


async def warn_of_migrations(probe: AsyncEngine, settings: Settings) -> None:
    """Log at start-up whether the database lacks migrations or is ahead; it may be migrated later."""
    standing = await standing_of(probe, settings)
    if standing is MigrationState.BEHIND:
        log.warning("database_not_migrated", consequence="requests fail with 503", hint="run `gateway migrate`")
    elif standing is MigrationState.AHEAD:
        log.info("database_ahead", reason="a newer version, or a package that MODULES does not name, has migrated it")
