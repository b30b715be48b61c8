"""Whether the servers that the settings name can be reached and are new enough."""

from urllib.parse import unquote, urlsplit

import asyncpg
import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from sqlalchemy.engine import make_url

from gateway.errors import SettingsError
from gateway.settings import Settings

MINIMUM_POSTGRES = 15
MINIMUM_REDIS = 7
TIMEOUT_SECONDS = 5.0


async def check_reachable(settings: Settings) -> None:
    """Connect to PostgreSQL and to Redis once each.

    Raises:
        SettingsError: naming the setting, the host and the reason, when one cannot be reached, refuses, or is too old.
    """
    await check_database(settings)
    await _check_redis(settings)


async def check_database(settings: Settings) -> None:
    """Connect to PostgreSQL once; raises as `check_reachable` does."""
    url = make_url(settings.database_dsn)
    host = f"{url.host}:{url.port or 5432}" if url.host else str(url.query.get("host", "the default host"))
    try:
        connection = await asyncpg.connect(settings.database_dsn, timeout=TIMEOUT_SECONDS)
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise _unreachable("DATABASE_URL", "PostgreSQL", host, error, url.password) from None
    try:
        major = connection.get_server_version().major
    finally:
        await connection.close(timeout=TIMEOUT_SECONDS)
    if major < MINIMUM_POSTGRES:
        raise SettingsError(f"DATABASE_URL: PostgreSQL {MINIMUM_POSTGRES} or newer is needed; {host} runs {major}.")


async def _check_redis(settings: Settings) -> None:
    parts = urlsplit(settings.redis_url)
    password = unquote(parts.password) if parts.password else None
    host = f"{parts.hostname}:{parts.port or 6379}" if parts.hostname else unquote(parts.path)
    try:
        async with redis.from_url(
            settings.redis_url,
            socket_connect_timeout=TIMEOUT_SECONDS,
            socket_timeout=TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        ) as client:
            version = str((await client.info("server"))["redis_version"])
    except (OSError, TimeoutError, ValueError, RedisError) as error:
        raise _unreachable("REDIS_URL", "Redis", host, error, password) from None
    if int(version.split(".", 1)[0]) < MINIMUM_REDIS:
        raise SettingsError(f"REDIS_URL: Redis or Valkey {MINIMUM_REDIS} or newer is needed; {host} runs {version}.")


def _unreachable(setting: str, server: str, host: str, error: Exception, password: str | None) -> SettingsError:
    reason = str(error) or f"no answer within {TIMEOUT_SECONDS:.0f} seconds"
    if password:
        reason = reason.replace(password, "…")
    return SettingsError(f"{setting}: {server} at {host} cannot be used: {reason.rstrip('.')}.")
