"""How a connection to PostgreSQL is opened, whatever is in between.

Directly, the settings of a connection are part of its opening, and what was prepared once stays prepared. A pooler may
refuse settings at the opening, and in transaction mode it gives each transaction any of the server's connections, where
neither settings nor prepared statements of another transaction may be relied on. So there

- each statement is in a transaction, which begins with its settings;
- no statement has a name: what is prepared lasts until the next one is, within the same transaction.
"""

from __future__ import annotations

import ssl
from asyncio.staggered import staggered_race
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from services.storage.address import PREFER_STANDBY, Address, Pooler

STAGGER_SECONDS: Final = 0.5
"""How long a host may be silent before the next one is tried as well (RFC 8305 calls it the attempt delay)."""
READ_ONLY: Final = "default_transaction_read_only"
_AT_THE_OPENING: Final = frozenset({"application_name"})
"""Settings that every pooler takes."""
_OF_A_TRANSACTION: Final = {READ_ONLY: "transaction_read_only"}

Connector = Callable[..., Awaitable[asyncpg.Connection]]


class TransactionConnection(asyncpg.Connection):  # type: ignore[misc] # asyncpg is untyped
    """A connection behind a pooler in transaction mode: no statement is sent outside of a transaction."""

    begun_with: str = ""
    """The statement that gives a transaction its settings."""

    async def execute(self, query: str, *args: Any, **options: Any) -> str:
        """As asyncpg; what begins a transaction gives it its settings in the same message."""
        if args:
            return str(await self._within(super().execute, query, *args, **options))
        if query.startswith("BEGIN"):
            query = f"{query.rstrip(';')};{self.begun_with}"
        return str(await super().execute(query, **options))

    async def fetch(self, *args: Any, **options: Any) -> Any:
        """As asyncpg."""
        return await self._within(super().fetch, *args, **options)

    async def fetchrow(self, *args: Any, **options: Any) -> Any:
        """As asyncpg."""
        return await self._within(super().fetchrow, *args, **options)

    async def fetchval(self, *args: Any, **options: Any) -> Any:
        """As asyncpg."""
        return await self._within(super().fetchval, *args, **options)

    async def _within(self, fetch: Callable[..., Awaitable[Any]], *args: Any, **options: Any) -> Any:
        if self.is_in_transaction():
            return await fetch(*args, **options)
        async with self.transaction():
            return await fetch(*args, **options)


async def connect(
    address: Address, settings: Mapping[str, str], *, answer_seconds: float | None = None, statements: int | None = None
) -> asyncpg.Connection:
    """Open a connection with these settings, over which the address's own win.

    Args:
        address: where to.
        settings: names and values as PostgreSQL knows them.
        answer_seconds: how long an answer is waited for.
        statements: how many prepared statements it remembers, for ever and whatever their length; as many as asyncpg
            does by itself if it is not given. None in transaction mode.
    """
    wanted = {**settings, **address.settings}
    common: dict[str, Any] = {"timeout": address.seconds, "command_timeout": answer_seconds}
    if address.trusts_system:
        common["ssl"] = ssl.create_default_context()
    if address.pooler is Pooler.TRANSACTION:
        common |= {"connection_class": TransactionConnection, "statement_cache_size": 0}
    elif statements is not None:
        common |= {
            "statement_cache_size": statements, "max_cached_statement_lifetime": 0, "max_cacheable_statement_size": 0,
        }  # fmt: skip
    opening = {name: value for name, value in wanted.items() if _belongs_to_opening(address, name)}
    later = {name: value for name, value in wanted.items() if name not in opening}
    if address.options:
        opening["options"] = address.options
    connection = await _first(address, {**common, "server_settings": opening})
    if address.pooler is Pooler.TRANSACTION:
        connection.begun_with = _setting({_OF_A_TRANSACTION.get(name, name): later[name] for name in later}, local=True)
    elif later:
        try:
            await connection.execute(_setting(later, local=False), timeout=address.seconds)
        except BaseException:
            connection.terminate()
            raise
    return connection


async def _first(address: Address, options: Mapping[str, Any]) -> asyncpg.Connection:
    """A connection to the first host that is as the address wants it, else, where it takes any, to any of them.

    Each has its own time, and the next is tried once one has failed, or is silent for a moment: that is what the
    machine of a primary does that has died.
    """
    if not address.hosts:
        return await asyncpg.connect(address.dsn, **options)
    wanted = address.given("target_session_attrs")
    targets = ["standby" if wanted == PREFER_STANDBY else wanted, *(["any"] if address.takes_any else [])]
    failures: list[BaseException] = []
    for target in targets:
        attempts = [
            partial(asyncpg.connect, address.dsn, host=host, port=port, target_session_attrs=target, **options)
            for host, port in address.hosts
        ]
        connection, _, outcomes = await staggered_race(attempts, STAGGER_SECONDS)
        if connection is not None:
            return connection
        failures = [each for each in outcomes if each is not None]
        if not any(isinstance(each, asyncpg.TargetServerAttributeNotMatched) for each in failures):
            break
    # What one of them has said tells more than that it was not the right one.
    raise next(
        (each for each in failures if not isinstance(each, asyncpg.TargetServerAttributeNotMatched)), failures[0]
    )


def _belongs_to_opening(address: Address, name: str) -> bool:
    if address.pooler is not Pooler.NONE:
        return name in _AT_THE_OPENING
    # The driver would take a connection that is asked to be read-only for a server that is.
    return not (name == READ_ONLY and address.given("target_session_attrs") is not None)


def _setting(settings: Mapping[str, str], *, local: bool) -> str:
    """A statement that sets settings, for the session or (`local`) for the transaction."""
    calls = [f"set_config({_literal(name)}, {_literal(value)}, {local})" for name, value in settings.items()]
    return f"select {', '.join(calls)}" if calls else ""


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def engine(address: Address, opened: Connector, **options: Any) -> AsyncEngine:
    """SQLAlchemy's engine over connections that `opened` opens; `options` are the engine's."""
    arguments: dict[str, Any] = {"async_creator_fn": opened}
    if address.pooler is Pooler.TRANSACTION:
        arguments |= {"prepared_statement_cache_size": 0, "prepared_statement_name_func": str}
    return create_async_engine("postgresql+asyncpg://", connect_args=arguments, **options)
