"""`gateway migrate`: upgrade the database, undo the newest migration, or drop everything."""

import asyncio
import sys
from typing import Annotated

import typer

from gateway.embedded import check_reachable, shared_servers
from gateway.errors import SettingsError
from gateway.migrate import downgrade, step_back, upgrade
from gateway.settings import Settings, load_settings
from services.storage.connecting import connect

DROP = "--yes-drop-everything-in"
BACK = "--yes-go-back-in"


def migrate(
    down: Annotated[bool, typer.Option("--down", help="Drop every table and all data instead.")] = False,
    back: Annotated[bool, typer.Option("--back", help="Undo the newest migration instead, and drop its data.")] = False,
    dropped: Annotated[
        str, typer.Option(DROP, metavar="NAME", help="Confirm --down for the database of this name.")
    ] = "",
    gone_back: Annotated[
        str, typer.Option(BACK, metavar="NAME", help="Confirm --back for the database of this name.")
    ] = "",
) -> None:
    """Upgrade the database to the newest version."""
    if down and back:
        raise SettingsError("--down and --back exclude each other.")
    if (dropped and not down) or (gone_back and not back):
        raise SettingsError(f"{DROP} is for --down, {BACK} for --back.")
    with shared_servers(load_settings()) as started:
        settings = asyncio.run(check_reachable(started))
        if down:
            _confirm(settings, "drop every table", DROP, dropped)
            downgrade(settings)
        elif back:
            _confirm(settings, "undo the newest migration", BACK, gone_back)
            step_back(settings)
        else:
            message = upgrade(settings)
            if message:
                typer.echo(message)


def _confirm(settings: Settings, action: str, option: str, confirmed: str) -> None:
    """Raise SettingsError unless the user confirms, by naming the database, that data may be lost."""
    name = asyncio.run(_database_name(settings))
    if not confirmed:
        if settings.is_production or not sys.stdin.isatty():
            where = "in production" if settings.is_production else "without a terminal"
            raise SettingsError(f"To {action} {where}, say {option} {name}. Nothing was changed.")
        typer.echo(f"This will {action} in the database {name} at {settings.database.place}, with the data in it.")
        confirmed = typer.prompt("Type the name of the database to go on", default="", show_default=False)
    if confirmed != name:
        raise SettingsError(f"The database is called {name}, not {confirmed or 'nothing'}. Nothing was changed.")


async def _database_name(settings: Settings) -> str:
    connection = await connect(settings.database, {})
    try:
        return str(await connection.fetchval("select current_database()"))
    finally:
        await connection.close()
