"""Documents that clients persist (Apollo's automatic persisted queries): in Redis, and the last used in the worker.

Any client may write to this cache, so everything is limited: the size of a document, the rate at which one actor may
add documents, their total number and size, and how long they are kept. The oldest are evicted first.
"""

from __future__ import annotations

from typing import Final

from cachetools import LRUCache
from limits import parse_many
from redis.asyncio import Redis

from services.catalogue import Actor, Problem
from services.catalogue.problems import TOO_MANY_REQUESTS
from services.documents.config import DocumentsConfig
from services.documents.registering import digest_of
from services.process.breaker import Breaker, RedisSilentError
from services.process.networks import network_of
from services.process.throttling import Throttle

TEXTS: Final = "persisted-documents:texts"
"""A hash: the documents by their digests, and their total size in `bytes`."""
INDEX: Final = "persisted-documents:index"
"""A sorted set: the digests, by the second at which each was persisted."""
_OVERHEAD: Final = 200
"""Size of a cache entry in bytes beside its text."""

_KEEP: Final = """
local texts, index = KEYS[1], KEYS[2]
local digest, text = ARGV[1], ARGV[2]
local seconds, max_documents, max_bytes = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local now = tonumber(redis.call('TIME')[1])
-- Redis has evicted one of the two, or another program has changed them: start empty.
if redis.call('ZCARD', index) ~= math.max(redis.call('HLEN', texts) - 1, 0) then
    redis.call('UNLINK', texts, index)
end
if redis.call('HEXISTS', texts, digest) == 1 then return 0 end
local held = tonumber(redis.call('HGET', texts, 'bytes') or '0')
local function drop(old)
    held = held - redis.call('HSTRLEN', texts, old)
    redis.call('HDEL', texts, old)
    redis.call('ZREM', index, old)
end
for _, old in ipairs(redis.call('ZRANGEBYSCORE', index, '-inf', now - seconds, 'LIMIT', 0, 1000)) do drop(old) end
while redis.call('ZCARD', index) >= max_documents or held + #text > max_bytes do
    local oldest = redis.call('ZRANGE', index, 0, 0)[1]
    if not oldest then break end
    drop(oldest)
end
redis.call('HSET', texts, digest, text, 'bytes', held + #text)
redis.call('ZADD', index, now, digest)
redis.call('EXPIRE', texts, seconds)
redis.call('EXPIRE', index, seconds)
return 1
"""


class PersistedDocuments:
    """Stores and finds documents by the SHA-256 of their text, in lower-case hexadecimal.

    While Redis is unavailable each worker knows only the documents in its own cache.
    """

    def __init__(self, redis: Redis, config: DocumentsConfig) -> None:
        self._redis, self._config = redis, config
        self._breaker = Breaker()  # not shared: a Redis that is full refuses these writes, and serves others
        self._throttle = Throttle(redis, self._breaker, "persisted-documents")
        self._rates = parse_many(config.writes)
        cache_bytes = max(config.remembered_bytes, 4 * config.document_bytes + _OVERHEAD)
        self._remembered: LRUCache[str, str] = LRUCache(cache_bytes, getsizeof=_size)
        self._keep = redis.register_script(_KEEP)

    def remembered(self, digest: str) -> str | None:
        """Return a document from this worker's cache."""
        return self._remembered.get(digest)

    async def find(self, digest: str) -> str | None:
        """Return a document from this worker's cache, or from Redis."""
        remembered = self._remembered.get(digest)
        if remembered is not None:
            return remembered
        try:
            value = await self._breaker.ask(self._redis.hget(TEXTS, digest))
        except RedisSilentError:
            return None
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        # Other programs may write to Redis, so the hash is verified.
        if text is None or digest_of(text) != digest:
            return None
        self._remembered[digest] = text
        return text

    def fits(self, text: str) -> bool:
        """Return whether a document is small enough to be stored."""
        try:
            return len(text.encode()) <= self._config.document_bytes
        except UnicodeEncodeError:
            return False

    async def keep(self, digest: str, text: str, actor: Actor, address: str) -> None:
        """Store a document that `fits`. Raise `too_many_requests` when the rate of the actor is exceeded."""
        sender = f"address/{network_of(address)}" if actor.is_anonymous else str(actor)
        wait = await self._throttle.hit(self._rates, sender)
        if wait:
            message = f"Too many new documents. Try again in {wait} seconds."
            raise Problem(TOO_MANY_REQUESTS, message, retry_after=wait)
        self._remembered[digest] = text
        bounds = (self._config.seconds, self._config.documents, self._config.total_bytes)
        try:
            await self._breaker.ask(self._keep(keys=[TEXTS, INDEX], args=[digest, text, *bounds]))
        except RedisSilentError:
            return


def _size(text: str) -> int:
    return _OVERHEAD + 4 * len(text) if not text.isascii() else _OVERHEAD + len(text)
