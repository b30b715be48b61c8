"""Whether the servers that the settings name can be reached and are new enough, and what is in between."""

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
    """Connect to PostgreSQL and to Redis, and find out what is in between.

    Returns:
        The settings, with DATABASE_POOLER and DATABASE_READ_POOLER as they were found, where they were not set.

    Raises:
        SettingsError: naming the setting, the host and the reason, when one cannot be reached, refuses, or is too old.
    """
    found = await check_database(settings)
    await _check_redis(settings)
    return found


async def check_database(settings: Settings) -> Settings:
    """Connect to PostgreSQL, as `check_reachable` does.

    The database for reading may be away: it is no reason not to start, but what it says against the settings is.
    """
    pooler = await _find_pooler("DATABASE_URL", settings.database, settings.DATABASE_POOLER)
    read_pooler = settings.DATABASE_READ_POOLER
    if settings.DATABASE_READ_URL is not None:
        try:
            read_pooler = await _find_pooler("DATABASE_READ_URL", settings.database_for_reading, read_pooler)
        except UnreachableError as error:
            log.warning("database_unreachable", error=str(error))
            read_pooler = read_pooler or Pooler.TRANSACTION  # it may be one, and this goes everywhere
    return settings.model_copy(update={"DATABASE_POOLER": pooler, "DATABASE_READ_POOLER": read_pooler})


def warn_of_pooler(settings: Settings, found: Settings) -> None:
    """Say at start-up that there is a pooler which the settings do not mention."""
    if settings.DATABASE_POOLER is None and found.DATABASE_POOLER is Pooler.TRANSACTION:
        log.warning(
            "pooler_found", taken_as=found.DATABASE_POOLER.value,
            mend="set DATABASE_POOLER to transaction, or, if that is how it works, to session, which is faster",
        )  # fmt: skip


async def _find_pooler(setting: str, address: Address, given: Pooler | None) -> Pooler:
    """What is between here and the database, which must answer and be new enough. Raises SettingsError."""
    _check_files(setting, address)
    try:
        if given is not None:
            await _check_given(setting, address)
        # This way goes through whatever there may be in between.
        connection = await connect(address.behind(Pooler.TRANSACTION), {}, answer_seconds=TIMEOUT_SECONDS)
        try:
            major = connection.get_server_version().major
            is_direct = connection.get_server_pid() == await connection.fetchval("select pg_backend_pid()")
        finally:
            await connection.close(timeout=TIMEOUT_SECONDS)
    except _FAULTS as error:
        kind = UnreachableError if _is_away(error) else SettingsError
        raise _unreachable(setting, "PostgreSQL", address.place, error, address.password, kind) from None
    if major < MINIMUM_POSTGRES:
        needed = f"PostgreSQL {MINIMUM_POSTGRES} or newer is needed"
        raise SettingsError(f"{setting}: {needed}; {address.place} runs {major}.")
    if given is not None or address.pooler is not Pooler.NONE:
        return given or address.pooler
    return Pooler.NONE if is_direct else Pooler.TRANSACTION


def _check_files(setting: str, address: Address) -> None:
    """Look for the files that a URL names. Raises SettingsError for one that the driver would not find, or not name."""
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


async def _check_given(setting: str, address: Address) -> None:
    """See whether connections can be opened, and used, as the settings say. Raises SettingsError."""
    mend = "set it to transaction" if address.pooler is Pooler.SESSION else "leave it unset, or set it to transaction"
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
        raise _misread(setting, address, mend) from None
    finally:
        for each in opened:
            each.terminate()
    if len(set(pids)) < len(pids):
        raise _misread(setting, address, mend)


def _misread(setting: str, address: Address, mend: str) -> SettingsError:
    name = setting.replace("URL", "POOLER")
    return SettingsError(f"{name} is {address.pooler}, but {address.place} is another kind of pooler: {mend}.")


def _is_away(error: Exception) -> bool:
    """Whether an error is about the server's not answering, and not about what it was asked."""
    is_local = isinstance(error, (FileNotFoundError, PermissionError, ssl.SSLError))
    is_network = isinstance(error, OSError) and not is_local
    return is_network or is_lost(error) or outage_of(state_of(error)) is Outage.BUSY


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
