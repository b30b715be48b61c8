"""Migrations by Alembic, without its command line: from a checkout and from an installed wheel alike."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
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
    """Return the folder with `env.py` and `versions/`: in the wheel it is in this package, in a checkout beside it."""
    packaged = Path(__file__).parent / "migrations"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent / "alembic"


def model_packages(settings: Settings) -> list[str]:
    """Return the packages whose models make up the schema, in order.

    The gateway's own are always among them: its migrations make their tables, whichever of them are being served.
    """
    return list(dict.fromkeys([*DEFAULT_MODULES, *settings.MODULES]))


def import_models(settings: Settings) -> list[ModuleType]:
    """Import the `models` of every package that has some, which puts their tables on the metadata."""
    packages = [each for each in model_packages(settings) if _exists(each)]
    names = [f"{package}.models" for package in packages]
    return [importlib.import_module(name) for name in names if importlib.util.find_spec(name) is not None]


def version_locations(settings: Settings) -> list[str]:
    """Return the folders with migrations: the gateway's own, then each package's `migrations` where there is one."""
    own = [migrations_path() / "versions"]
    for package in model_packages(settings):
        spec = importlib.util.find_spec(package) if _exists(package) else None
        folders = spec.submodule_search_locations if spec is not None else None
        own += [Path(folder) / "migrations" for folder in folders or () if (Path(folder) / "migrations").is_dir()]
    return [str(folder) for folder in own]


def alembic_config(settings: Settings) -> Config:
    """Return what Alembic's commands need to work on the servers of `settings`, whose URLs must be set."""
    config = Config()
    config.set_main_option("script_location", _escaped(str(migrations_path())))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", _escaped("\n".join(version_locations(settings))))
    # env.py takes them from here; the command line has none to give, and there env.py loads them itself.
    config.attributes["settings"] = settings
    return config


class Standing(StrEnum):
    """How a database's tables stand to this version."""

    CURRENT = "current"
    AHEAD = "ahead"
    """A newer version has migrated it, or a package that MODULES does not name any more; what is older goes on."""
    BEHIND = "behind"


@dataclass(frozen=True, slots=True)
class Revisions:
    """The revisions that this version knows, its modules' own included."""

    script: ScriptDirectory

    @classmethod
    def of(cls, settings: Settings) -> Revisions:
        """Those of the packages that the settings name."""
        return cls(ScriptDirectory.from_config(alembic_config(settings)))

    @property
    def heads(self) -> frozenset[str]:
        """The newest of each branch."""
        return frozenset(self.script.get_heads())

    def unknown(self, found: Collection[str]) -> frozenset[str]:
        """Those of `found` that only another version knows."""
        return frozenset(found) - {each.revision for each in self.script.walk_revisions()}

    def standing(self, found: Collection[str]) -> Standing:
        """How a database stands whose table of versions holds `found`.

        Alembic leaves those out of that table which others there depend on: they count as present, as it has them.
        """
        unknown = self.unknown(found)
        known = frozenset(found) - unknown
        if unknown:
            return Standing.AHEAD if known <= self.heads else Standing.BEHIND
        present = {each.revision for each in self.script.get_all_current(tuple(known))} if known else set()
        return Standing.CURRENT if self.heads <= present else Standing.BEHIND


async def found_revisions(probe: AsyncEngine) -> frozenset[str]:
    """The revisions in a database's table of versions; none where there is no such table."""
    try:
        async with probe.connect() as connection:
            return frozenset((await connection.exec_driver_sql("select version_num from alembic_version")).scalars())
    except DBAPIError as error:
        if outage_of(state_of(error)) is Outage.UNMIGRATED:
            return frozenset()
        raise


async def check_migrated(probe: AsyncEngine, revisions: Revisions) -> Standing:
    """How the database stands. Raises SettingsError if it lacks what this version needs."""
    standing = revisions.standing(await found_revisions(probe))
    if standing is Standing.BEHIND:
        raise SettingsError("The database is not at the newest version: run `gateway migrate`.")
    return standing


def upgrade(settings: Settings) -> str | None:
    """Bring the database of `settings` to the newest version.

    Returns a sentence if nothing was done because the database is ahead of this version. Runs an event loop of its own:
    call it outside of one. Raises SettingsError where the way to the newest version is not known.
    """
    revisions = Revisions.of(settings)
    found = asyncio.run(_found(settings))
    unknown = ", ".join(sorted(revisions.unknown(found)))
    if revisions.standing(found) is Standing.AHEAD:
        return f"The database is ahead of this version, which does not know revision {unknown}. Nothing was changed."
    if unknown:
        raise SettingsError(
            f"The database has revision {unknown}, of a newer version or of a package that MODULES does not name, and"
            " lacks others of this version: migrate it with all of its packages. Nothing was changed."
        )
    command.upgrade(alembic_config(settings), "heads")
    return None


def downgrade(settings: Settings) -> None:
    """Take every table, and all data, out of the database of `settings`.

    Call it outside of an event loop. Raises SettingsError if the database has revisions that are not known here.
    """
    _known(settings)
    command.downgrade(alembic_config(settings), "base")


def step_back(settings: Settings) -> None:
    """Undo the newest migration of the database of `settings`.

    Call it outside of an event loop. Raises SettingsError where it is not clear which one that is.
    """
    found = _known(settings)
    if len(found) != 1:
        raise SettingsError(
            f"The database has {len(found)} newest migrations, {', '.join(sorted(found))}: have Alembic undo one"
            " of them (`alembic downgrade BRANCH@-1`). Nothing was changed."
        )
    command.downgrade(alembic_config(settings), "-1")


def _known(settings: Settings) -> frozenset[str]:
    found = asyncio.run(_found(settings))
    unknown = ", ".join(sorted(Revisions.of(settings).unknown(found)))
    if unknown:
        raise SettingsError(f"This version does not know revision {unknown} of the database. Nothing was changed.")
    return found


async def _found(settings: Settings) -> frozenset[str]:
    address = settings.database
    opened = engine(address, partial(connect, address, {}), poolclass=NullPool)
    try:
        return await found_revisions(opened)
    finally:
        await opened.dispose()


async def warn_of_migrations(probe: AsyncEngine, settings: Settings) -> None:
    """Say at start-up what the database lacks; it may be migrated later."""
    standing = Revisions.of(settings).standing(await found_revisions(probe))
    if standing is Standing.BEHIND:
        log.warning("database_not_migrated", consequence="requests fail with 503", mend="run `gateway migrate`")
    elif standing is Standing.AHEAD:
        log.info("database_ahead", reason="a newer version, or a package that MODULES does not name, has migrated it")


def _exists(package: str) -> bool:
    """Whether there is such a package; the catalogue complains about one that is not, with a mend."""
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:
        return False


def _escaped(text: str) -> str:
    """Protect `%`, which Alembic's configuration would interpolate."""
    return text.replace("%", "%%")
