"""Statements that are written with SQLAlchemy once, and from then on are text that asyncpg prepares.

SQLAlchemy takes some 150 µs of each execution, besides building the statement; the same text on asyncpg takes 20. Of a
read that is most of it, of a write that checks several things, a good part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from sqlalchemy import BindParameter, Delete, Insert, Select, bindparam
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.exc import CompileError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import TypeEngine

from services.catalogue.actors import Actor
from services.storage.database import count_statement

_PREFIX: Final = "given_"
_CONNECTIONS: Final = "connections"
_OF_ACTOR: Final = frozenset(Actor().parameters())


def given(name: str, kind: TypeEngine[Any]) -> BindParameter[Any]:
    """A parameter whose value comes with each execution. Those of the actor (policies.py) are such, too."""
    return bindparam(f"{_PREFIX}{name}", None, type_=kind)


class _Compiler(PGDialect_asyncpg.statement_compiler):  # type: ignore[misc,valid-type]
    """Writes all other values (an enum's, a bound) into the text, where PostgreSQL's planner sees them."""

    def visit_bindparam(self, bindparam: Any, **options: Any) -> str:
        changes = bindparam.key in _OF_ACTOR or bindparam.key.startswith(_PREFIX)
        with suppress(CompileError):  # no literal form of this type is known
            shown = options if changes else {**options, "literal_binds": True}
            return str(super().visit_bindparam(bindparam, **shown))
        return str(super().visit_bindparam(bindparam, **options))


class _Dialect(PGDialect_asyncpg):
    statement_compiler = _Compiler
    supports_statement_cache = True


_DIALECT = _Dialect()  # type: ignore[no-untyped-call]


class Prepared:
    """A statement as text. `names` are those of its parameters in order, `fixed` the values of some of them."""

    __slots__ = ("fixed", "names", "text")

    def __init__(self, statement: Select[*tuple[Any, ...]] | Insert | Delete) -> None:
        of_actor = dict.fromkeys(_OF_ACTOR)
        expanded = statement.compile(dialect=_DIALECT).construct_expanded_state(of_actor)
        self.text: str = expanded.statement
        names = expanded.positiontup or ()
        self.fixed = {
            name: expanded.parameters[name] for name in names if name not in _OF_ACTOR and not name.startswith(_PREFIX)
        }
        self.names: Sequence[str] = tuple(name.removeprefix(_PREFIX) for name in names)

    async def row(self, session: AsyncSession, values: Mapping[str, Any]) -> Sequence[Any] | None:
        """The first row, as the session's transaction sees it, which has begun already; what is new is not flushed."""
        return await fetch_row(session, self.text, [self.fixed.get(name, values.get(name)) for name in self.names])

    async def value(self, session: AsyncSession, values: Mapping[str, Any]) -> Any:
        """The first column of the first row; None if there is none."""
        row = await self.row(session, values)
        return None if row is None else row[0]


async def fetch_row(session: AsyncSession, text: str, values: Sequence[Any]) -> Sequence[Any] | None:
    """The first row of a statement within the session's transaction."""
    count_statement()
    raw = await begun(session)
    row: Sequence[Any] | None = await raw.fetchrow(text, *values)
    return row


async def begun(session: AsyncSession) -> Any:
    """asyncpg's own connection behind a session, in the session's transaction, which has begun."""
    raw, adapter = _connections(session)
    if not raw.is_in_transaction():
        # SQLAlchemy begins with the first statement that it sends itself, and has no public way to begin without one:
        # its dialect's `do_begin` does nothing. What is begun on asyncpg's connection it does not know, nor commit,
        # and a statement that does nothing costs each write a round trip. Without this name every write fails.
        await adapter._start_transaction()  # noqa: SLF001
    return raw


def raw_connection(session: AsyncSession) -> Any:
    """asyncpg's own connection behind a session that has one already."""
    return _connections(session)[0]


def _connections(session: AsyncSession) -> tuple[Any, Any]:
    """asyncpg's own connection, and SQLAlchemy's around it, remembered for the length of a transaction."""
    sync = session.sync_session
    transaction, known = sync.get_transaction(), sync.info.get(_CONNECTIONS)
    if transaction is not None and known is not None and known[0] is transaction:
        found: tuple[Any, Any] = known[1]
        return found
    proxy: Any = sync.connection().connection
    found = (proxy.driver_connection, proxy.dbapi_connection)
    sync.info[_CONNECTIONS] = (sync.get_transaction(), found)
    return found
