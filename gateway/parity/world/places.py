"""Where the proof runs: a database of its own, made and dropped, and a Redis database that it may empty."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import asyncpg
import redis
from pydantic import SecretStr
from sqlalchemy.engine import make_url

from gateway.embedded import check_reachable, embedded_servers
from gateway.errors import SettingsError
from gateway.migrate import upgrade
from gateway.settings import Settings

_NEEDED: Final[dict[str, Any]] = {
    "ENVIRONMENT": "test", "COMPILED_READS": True, "PLAN_ON_SIGHT": 1, "OPENTELEMETRY": False, "METRICS": False,
    "REQUIRE_PRECONDITIONS": False,
    # Nothing may run out or be held up while it lasts, and hashing is not what is to be proved.
    "ACCESS_TOKEN_EXPIRE_MINUTES": 100_000, "LOGIN_ATTEMPTS_PER_ACCOUNT": "1000000/minute",
    "LOGIN_ATTEMPTS_PER_ADDRESS": "1000000/minute", "PASSWORD_HASH_TIME_COST": 1, "PASSWORD_HASH_MEMORY_KIB": 64,
    "BUDGET_PER_MINUTE": 0, "BUDGET_ANONYMOUS_PER_MINUTE": 0,
    "LOG_LEVEL": "ERROR", "SECRET_KEY": "signs what lives as long as the proof",
}  # fmt: skip


def proof_settings(settings: Settings, **others: Any) -> Settings:
    """These settings, with what the proof needs, and `others` instead of their own."""
    return Settings(_env_file=None, **{**settings.model_dump(), **_NEEDED, **others})


@contextmanager
def place(settings: Settings, database_url: str | None, redis_url: str | None) -> Iterator[Settings]:
    """Settings for the proof with an empty, migrated database; servers of its own for each URL that is not given.

    Raises SettingsError when a given server cannot be used. Runs event loops of its own: call it outside of one.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gateway-parity-")))
        folder.chmod(0o711)  # as root, PostgreSQL runs as another user
        given = {
            "DATABASE_URL": SecretStr(database_url) if database_url else None,
            "REDIS_URL": SecretStr(redis_url) if redis_url else None,
        }
        wanted = proof_settings(settings, DATA_DIR=folder, DATABASE_READ_URL=None, **given)
        ready = asyncio.run(check_reachable(stack.enter_context(embedded_servers(wanted))))
        if redis_url:
            _refuse_used(redis_url)
        url = stack.enter_context(scratch_database(ready.database_url))
        own = ready.model_copy(update={"DATABASE_URL": SecretStr(url)})
        upgrade(own)
        yield own


def _refuse_used(url: str) -> None:
    client: Any = redis.Redis.from_url(url)
    try:
        if client.dbsize():
            raise SettingsError(
                "The Redis database of --redis-url is not empty, and the proof empties it: choose another number."
            )
    finally:
        client.close()


@contextmanager
def scratch_database(server: str, template: str | None = None) -> Iterator[str]:
    """The URL of a new database on the server of this URL, dropped at the end."""
    name = f"gateway_parity_{uuid4().hex[:12]}"
    asyncio.run(_execute(server, f"create database {name}" + (f" template {template}" if template else "")))
    try:
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        asyncio.run(_execute(server, f"drop database {name} with (force)"))


async def _execute(url: str, statement: str) -> None:
    dsn = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
