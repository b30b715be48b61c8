"""Databases of a test's own, on the suite's server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import asyncpg
from sqlalchemy.engine import make_url

from gateway.settings import Settings


@asynccontextmanager
async def empty_database(settings: Settings) -> AsyncIterator[str]:
    """The URL of a new database without tables, dropped at the end."""
    name = f"gateway_own_{uuid4().hex[:12]}"
    await run_sql(settings.database_url, f"create database {name}")
    try:
        yield make_url(settings.database_url).set(database=name).render_as_string(hide_password=False)
    finally:
        await run_sql(settings.database_url, f"drop database {name} with (force)")


async def run_sql(url: str, statement: str) -> list[tuple[object, ...]]:
    """Run one statement; returns its rows."""
    dsn = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(dsn)
    try:
        return [tuple(row) for row in await connection.fetch(statement)]
    finally:
        await connection.close()
