"""Migrations by Alembic, without its command line: from a checkout and from an installed wheel alike."""

import importlib
import importlib.util
from pathlib import Path
from types import ModuleType

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.settings import DEFAULT_MODULES, Settings


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


def upgrade(settings: Settings) -> None:
    """Bring the database of `settings` to the newest version. Runs an event loop of its own: call it outside of one."""
    command.upgrade(alembic_config(settings), "heads")


def downgrade(settings: Settings) -> None:
    """Take every table and all data out of the database of `settings`. Call it outside of an event loop."""
    command.downgrade(alembic_config(settings), "base")


def _exists(package: str) -> bool:
    """Whether there is such a package; the catalogue complains about one that is not, with a mend."""
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:
        return False


def _escaped(text: str) -> str:
    """Protect `%`, which Alembic's configuration would interpolate."""
    return text.replace("%", "%%")


def newest(settings: Settings) -> frozenset[str]:
    """Return the revisions that a database at the newest version has."""
    return frozenset(ScriptDirectory.from_config(alembic_config(settings)).get_heads())


async def check_migrated(engine: AsyncEngine, wanted: frozenset[str]) -> None:
    """Raise RuntimeError unless the database is at the `wanted` revisions."""
    async with engine.connect() as connection:
        found = (await connection.exec_driver_sql("select version_num from alembic_version")).scalars()
        if frozenset(found) != wanted:
            raise RuntimeError("the database is not at the newest version")
