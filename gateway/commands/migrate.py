"""`gateway migrate`."""

import asyncio
from typing import Annotated

import typer

from gateway.embedded import check_reachable, shared_servers
from gateway.migrate import downgrade, upgrade
from gateway.settings import load_settings


def migrate(
    down: Annotated[bool, typer.Option("--down", help="Drop every table and all data instead.")] = False,
) -> None:
    """Bring the database to the newest version."""
    with shared_servers(load_settings()) as settings:
        asyncio.run(check_reachable(settings))
        (downgrade if down else upgrade)(settings)
