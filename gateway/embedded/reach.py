"""Check that the servers in the settings can be reached and are new enough, and detect connection poolers."""

import os
import ssl
from configparser import ConfigParser
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import asyncpg
import redis.asyncio as redis
import structlog
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from gateway.errors import SettingsError, UnreachableError
from gateway.settings import Settings
from services.storage.address import Address, Pooler
from services.storage.connecting import connect
from services.storage.constraints import is_lost, state_of
from services.storage.database import SERVER_SETTINGS
from services.storage.outages import Outage, outage_of

MINIMUM_POSTGRES = 15
MINIMUM_REDIS = 7
TIMEOUT_SECONDS = 5.0
_FAULTS: Final = (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)

log = structlog.get_logger(__name__)


async def check_reachable(settings: Settings) -> Settings:
    """Connect to PostgreSQL and to Redis, and detect poolers.

    Returns the settings, with DATABASE_POOLER and DATABASE_READ_POOLER as detected where they were not set. Raises
    SettingsError, with the setting, the host and the reason, if a server cannot be reached, refuses, or is too old.
    """
    checked = await check_database(settings)
    await _check_redis(settings)
    return checked


async def check_database(settings: Settings) -> Settings:
    """Connect to PostgreSQL, as `check_reachable` does.

    An unreachable database for reading is logged, and does not stop the start; a wrong setting for it does.
    """
    pooler = await _find_pooler("DATABASE_URL", settings.database, settings.DATABASE_POOLER)
    read_pooler = settings.DATABASE_READ_POOLER
    if settings.DATABASE_READ_URL is not None:
        try:
            read_pooler = await _find_pooler("DATABASE_READ_URL", settings.database_for_reading, read_pooler)
        except UnreachableError as error:
            log.warning("database_unreachable", error=str(error))
            read_pooler = read_pooler or Pooler.TRANSACTION  # the setting that works with every pooler
    return settings.model_copy(update={"DATABASE_POOLER": pooler, "DATABASE_READ_POOLER": read_pooler})


def warn_of_pooler(settings: Settings, detected: Settings) -> None:
    if settings.DATABASE_POOLER is None and detected.DATABASE_POOLER is Pooler.TRANSACTION:
        log.warning(
            "pooler_found", taken_as=detected.DATABASE_POOLER.value,
            hint="set DATABASE_POOLER to transaction, or, if that is how it works, to session, which is faster",
        )  # fmt: skip


async def _find_pooler(setting: str, address: Address, configured: Pooler | None) -> Pooler:
    """Return the pooler before a database. Raises SettingsError if the database does not answer or is too old."""
    _check_files(setting, address)
    try:
        if configured is not None:
            await _check_configured(setting, address)
        # A connection for transaction pooling works with every pooler.
        connection = await connect(address.behind(Pooler.TRANSACTION), {}, answer_seconds=TIMEOUT_SECONDS)
        try:
            major = connection.get_server_version().major
            is_direct = connection.get_server_pid() == await connection.fetchval("select pg_backend_pid()")
        finally:
            await connection.close(timeout=TIMEOUT_SECONDS)
    except _FAULTS as error:
        # Whether it does not answer, or refuses a request.
        is_local = isinstance(error, (FileNotFoundError, PermissionError, ssl.SSLError))
        is_away = is_lost(error) or outage_of(state_of(error)) is Outage.BUSY
        is_away = is_away or (isinstance(error, OSError) and not is_local)
        kind = UnreachableError if is_away else SettingsError
        raise _unreachable(setting, "PostgreSQL", address.place, error, address.password, kind) from None
    if major < MINIMUM_POSTGRES:
        needed = f"PostgreSQL {MINIMUM_POSTGRES} or newer is needed"
        raise SettingsError(f"{setting}: {needed}; {address.place} runs {major}.")
    if configured is not None or address.pooler is not Pooler.NONE:
        return configured or address.pooler
    return Pooler.NONE if is_direct else Pooler.TRANSACTION


def _check_files(setting: str, address: Address) -> None:
    """Raise SettingsError for files in a URL that cannot be read, which the driver would ignore or not name."""
    for name in ("sslrootcert", "sslcert", "sslkey", "sslcrl"):
        path = address.given(name)
        if path is not None and not os.access(path, os.R_OK):
            raise SettingsError(f"{setting}: {name} is {path}, which cannot be read.")
    service = address.given("service")
    if service is not None:
        file = os.environ.get("PGSERVICEFILE") or str(Path.home() / ".pg_service.conf")
        services = ConfigParser(interpolation=None)
        services.read(file)
        if not services.has_section(service):
            raise SettingsError(f"{setting}: there is no service {service} in {file}.")


async def _check_configured(setting: str, address: Address) -> None:
    """Raise SettingsError if connections do not behave as with the configured pooler."""
    hint = "set it to transaction" if address.pooler is Pooler.SESSION else "leave it unset, or set it to transaction"
    name = setting.replace("URL", "POOLER")
    misread = f"{name} is {address.pooler}, but {address.place} is another kind of pooler: {hint}."
    opened: list[asyncpg.Connection] = []
    try:
        pids = []
        for _ in range(2 if address.pooler is Pooler.SESSION else 1):
            connection = await connect(address, SERVER_SETTINGS, answer_seconds=TIMEOUT_SECONDS)
            opened.append(connection)
            pids.append(await connection.fetchval("select pg_backend_pid()"))
    except asyncpg.ProtocolViolationError as error:
        if "startup parameter" not in str(error) or address.pooler is not Pooler.NONE:
            raise
        raise SettingsError(misread) from None
    finally:
        for connection in opened:
            connection.terminate()
    if len(set(pids)) < len(pids):
        raise SettingsError(misread)


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


def _unreachable(
    setting: str, server: str, host: str, error: Exception, password: str | None,
    kind: type[SettingsError] = SettingsError,
) -> SettingsError:  # fmt: skip
    reason = " ".join(str(error).split()) or f"no answer within {TIMEOUT_SECONDS:.0f} seconds"
    if password:
        reason = reason.replace(password, "…")
    return kind(f"{setting}: {server} at {host} cannot be used: {reason.rstrip('.')}.")
