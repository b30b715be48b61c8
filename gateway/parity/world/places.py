"""The servers of the proof: a database that it creates and drops, and a Redis database that it may empty."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import redis
from pydantic import SecretStr
from sqlalchemy.engine import make_url

from gateway.embedded import check_reachable, embedded_servers
from gateway.errors import SettingsError
from gateway.migrate import upgrade
from gateway.settings import Settings
from services.storage.connecting import connect

_OVERRIDES: Final[dict[str, Any]] = {
    "ENVIRONMENT": "test", "COMPILED_READS": True, "PLAN_ON_SIGHT": 1, "OPENTELEMETRY": False, "METRICS": False,
    "REQUIRE_PRECONDITIONS": False,
    # No token or limit may run out during the proof, and password hashing is not part of it.
    "ACCESS_TOKEN_EXPIRE_MINUTES": 100_000, "LOGIN_ATTEMPTS_PER_ACCOUNT": "1000000/minute",
    "LOGIN_ATTEMPTS_PER_ADDRESS": "1000000/minute", "PASSWORD_HASH_TIME_COST": 1, "PASSWORD_HASH_MEMORY_KIB": 64,
    "BUDGET_PER_MINUTE": 0, "BUDGET_ANONYMOUS_PER_MINUTE": 0,
    "LOG_LEVEL": "ERROR", "SECRET_KEY": "signs tokens that live as long as the proof",
}  # fmt: skip


def proof_settings(settings: Settings, **others: Any) -> Settings:
    """Return these settings with the values that the proof needs, overridden by `others`."""
    return Settings(_env_file=None, **{**settings.model_dump(), **_OVERRIDES, **others})


@contextmanager
def place(settings: Settings, database_url: str | None, redis_url: str | None) -> Iterator[Settings]:
    """Yield settings with an empty, migrated database. A URL that is None starts a server. Runs event loops itself."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gateway-parity-")))
        folder.chmod(0o711)  # as root, PostgreSQL runs as another user
        configured = proof_settings(
            settings, DATA_DIR=folder, DATABASE_READ_URL=None, DATABASE_URL=database_url or None,
            REDIS_URL=redis_url or None,
        )  # fmt: skip
        ready = asyncio.run(check_reachable(stack.enter_context(embedded_servers(configured))))
        if redis_url:
            _refuse_used(redis_url)
        name = f"gateway_parity_{uuid4().hex[:12]}"
        asyncio.run(_execute(ready, f"create database {name}"))
        stack.callback(lambda: asyncio.run(_execute(ready, f"drop database {name} with (force)")))
        url = make_url(ready.database_url).set(database=name).render_as_string(hide_password=False)
        scratch = ready.model_copy(update={"DATABASE_URL": SecretStr(url)})
        upgrade(scratch)
        yield scratch


def _refuse_used(url: str) -> None:
    with redis.Redis.from_url(url) as client:
        if client.dbsize():
            raise SettingsError(
                "The Redis database of --redis-url is not empty, and the proof empties it: choose another number."
            )


async def _execute(settings: Settings, statement: str) -> None:
    connection = await connect(settings.database, {})
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
