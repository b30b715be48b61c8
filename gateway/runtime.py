"""Open and close the long-lived parts of a process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from hashlib import blake2b

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from gateway.mail import mail_config
from gateway.metrics import count
from gateway.settings import Settings
from services.catalogue import Catalogue
from services.documents.config import AcceptedDocuments, DocumentsConfig
from services.documents.known import DocumentResolver
from services.documents.persisted import PersistedDocuments
from services.documents.trusted import TrustedDocuments
from services.engine.audit.recording import Audit
from services.engine.gateway import Gateway
from services.engine.idempotency.once import IdempotencyStore
from services.files.config import FilesConfig
from services.files.links import FileLinks
from services.files.slots import UploadSlots
from services.files.store import FileStore
from services.identity.auth.authentication import Authenticator
from services.identity.auth.memory import CredentialCache
from services.identity.auth.passwords import Passwords
from services.identity.auth.revocations import Revocations
from services.identity.auth.sessions import SessionStates
from services.identity.auth.throttle import SignInThrottle
from services.identity.auth.tokens import Tokens
from services.identity.keys.states import verify_key
from services.jobs.jobs import JobRetention
from services.jobs.payloads import Payloads
from services.process.breaker import Breaker
from services.process.budget.buckets import SharedBuckets
from services.process.budget.budget import Budget
from services.process.concurrency import Concurrency
from services.queries.cursors import CursorCodec
from services.reader.pool import MAX_PREPARED, ReadPool
from services.reader.reader import Reader
from services.storage.cascades import Cascades
from services.storage.database import Database


@asynccontextmanager
async def open_gateway(
    settings: Settings, catalogue: Catalogue, *, database: Database | None = None, reads: ReadPool | None = None
) -> AsyncIterator[Gateway]:
    """Open a gateway on the servers of `settings`, whose URLs must be set.

    `database` and `reads` replace those of the settings, and are closed with the rest.
    """
    cursors = CursorCodec(_derived_key(settings, b"cursor key"))
    database = database or Database(settings.database, pool_size=settings.DATABASE_POOL_SIZE)
    reads = reads or ReadPool(
        settings.database_for_reading, size=settings.DATABASE_READ_POOL_SIZE,
        statements=min(settings.PLAN_CACHE_SIZE, MAX_PREPARED),
    )  # fmt: skip
    if settings.DATABASE_READ_URL is None:
        database.when_demoted.append(reads.leave)
    limits = settings.limits
    reader = Reader(
        reads, cursors, plans=settings.PLAN_CACHE_SIZE, sight=settings.PLAN_ON_SIGHT, page_size=limits.MAX_PAGE_SIZE
    )
    # One try and a short timeout, since PostgreSQL answers in place of Redis.
    redis = Redis.from_url(
        settings.redis_url, socket_timeout=0.5, socket_connect_timeout=0.5, retry=Retry(NoBackoff(), 0)
    )
    gateway = Gateway(
        catalogue, database, cursors, reader if settings.COMPILED_READS else None, limits,
        {type(part): part for part in _parts(settings, catalogue, database, redis)},
        requires_versions=settings.REQUIRE_PRECONDITIONS,
    )  # fmt: skip
    try:
        async with gateway.part(Revocations).heard():
            yield gateway
    finally:
        await gateway.part(TrustedDocuments).close()
        await redis.aclose()
        await reads.close()
        await database.close()


def _parts(settings: Settings, catalogue: Catalogue, database: Database, redis: Redis) -> list[object]:
    documents, breaker, memory = _documents(settings), Breaker(), CredentialCache(settings.REMEMBERED_TOKENS)
    tokens = Tokens(
        settings.secret_key, catalogue.scopes, settings.ALGORITHM,
        access_lifetime=timedelta(minutes=settings.ACCESS_TOKEN_EXPIRE_MINUTES),
        refresh_lifetime=timedelta(days=settings.REFRESH_TOKEN_EXPIRE_DAYS),
        refresh_grace=timedelta(seconds=settings.REFRESH_GRACE_SECONDS),
    )  # fmt: skip
    revocations = Revocations(redis, memory, mark_seconds=settings.ACCESS_TOKEN_EXPIRE_MINUTES * 60)
    throttle = SignInThrottle(
        redis, breaker, settings.LOGIN_ATTEMPTS_PER_ACCOUNT, settings.LOGIN_ATTEMPTS_PER_ADDRESS,
        settings.MAILS_PER_SENDER, settings.MAILS_PER_ADDRESS,
    )  # fmt: skip
    states = SessionStates(database, redis, breaker)
    trusted = TrustedDocuments(database)
    files = FilesConfig(
        settings.MAX_FILE_BYTES, settings.FILES_QUOTA_BYTES, settings.FILES_IDLE_SECONDS,
        timedelta(seconds=settings.FILES_LINK_SECONDS), timedelta(hours=settings.FILES_PENDING_HOURS),
    )  # fmt: skip
    buckets = SharedBuckets(redis, breaker, lease_seconds=settings.BUDGET_LEASE_SECONDS)
    return [
        redis, tokens, states, memory, revocations, throttle,
        Passwords(settings.PASSWORD_HASH_TIME_COST, settings.PASSWORD_HASH_MEMORY_KIB),
        Authenticator(tokens, states, memory, partial(verify_key, database, frozenset(catalogue.scopes))),
        Audit(catalogue, database), Cascades(catalogue),
        IdempotencyStore(_derived_key(settings, b"idempotency"), timedelta(hours=settings.IDEMPOTENCY_HOURS)),
        Concurrency(settings.MAX_CONCURRENT_REQUESTS),
        mail_config(settings, catalogue), Payloads(_derived_key(settings, b"job payloads")),
        JobRetention(timedelta(days=settings.JOBS_KEPT_DAYS)), files,
        FileLinks(_derived_key(settings, b"file links"), f"{settings.PUBLIC_URL}{settings.API_V1_STR}"),
        FileStore(settings.files_url, settings.FILES_STORE), UploadSlots(settings.FILES_UPLOADS), trusted,
        DocumentResolver(documents, trusted, PersistedDocuments(redis, documents)),
        Budget(
            buckets, count, settings.BUDGET_PER_MINUTE, settings.BUDGET_ANONYMOUS_PER_MINUTE,
            settings.BUDGET_BURST_SECONDS,
        ),
    ]  # fmt: skip


def _derived_key(settings: Settings, purpose: bytes) -> bytes:
    """Derive a key of 32 bytes from the secret, the same in all workers."""
    return blake2b(settings.secret_key.encode(), digest_size=32, person=purpose).digest()


def _documents(settings: Settings) -> DocumentsConfig:
    return DocumentsConfig(
        AcceptedDocuments(settings.GRAPHQL_DOCUMENTS),
        document_bytes=settings.PERSISTED_DOCUMENT_BYTES, documents=settings.PERSISTED_DOCUMENTS,
        total_bytes=settings.PERSISTED_BYTES, seconds=settings.PERSISTED_HOURS * 3600,
        writes=settings.PERSISTED_WRITES,
    )  # fmt: skip
