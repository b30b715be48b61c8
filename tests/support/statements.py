"""Counting SQL statements."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import asyncpg
from sqlalchemy import event

from services.engine.gateway import Gateway


@contextmanager
def statements(gateway: Gateway) -> Iterator[list[str]]:
    """The texts of the statements that the block sends, those about the caller's own session left aside."""
    found: list[str] = []

    def note(connection: object, cursor: object, statement: str, *_: object) -> None:
        if " sessions" not in statement:
            found.append(statement)

    fetch = asyncpg.Connection.fetchrow

    async def noted_fetch(connection: Any, statement: str, *values: Any) -> Any:
        """The Reader's way to the database, past SQLAlchemy (whose pool asks `;` to know that a connection lives)."""
        if statement != ";":
            found.append(statement)
        return await fetch(connection, statement, *values)

    engine = gateway.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        with patch.object(asyncpg.Connection, "fetchrow", noted_fetch):
            yield found
    finally:
        event.remove(engine, "before_cursor_execute", note)
