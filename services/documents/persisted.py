"""Documents that clients persist (Apollo's automatic persisted queries): in Redis, and the last used in the worker.

They are a cache that anybody may write to, so it is bounded in every direction: the size of one, how many one actor may
add, the number and the bytes of all, and how long they stay. The oldest make room for new ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from cachetools import LRUCache
from redis.asyncio import Redis

from services.catalogue import Actor
from services.documents.config import DocumentsConfig
from services.documents.registering import digest_of
from services.documents.writes import DocumentWrites
from services.process.breaker import Breaker, RedisSilentError

TEXTS: Final = "persisted-documents:texts"
"""A hash: the documents by their digests, and in `bytes` what they take."""
INDEX: Final = "persisted-documents:index"
"""A sorted set: the digests, by the second at which each was kept."""
_OVERHEAD: Final = 200
"""Bytes of an entry beside its text."""

_KEEP: Final = """
local texts, index = KEYS[1], KEYS[2]
local digest, text = ARGV[1], ARGV[2]
local seconds, most, most_bytes = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local now = tonumber(redis.call('TIME')[1])
-- One of the two was evicted, or somebody has been at them: they begin anew.
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
while redis.call('ZCARD', index) >= most or held + #text > most_bytes do
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


@dataclass(slots=True)
class PersistedDocuments:
    """Keeps and finds documents by the SHA-256 of their text, in lower-case hexadecimal.

    While Redis is down each worker knows what it has seen itself.
    """

    redis: Redis
    config: DocumentsConfig
    breaker: Breaker = field(default_factory=Breaker)
    """Its own: a Redis that is full refuses writes, and answers everybody else."""
    _writes: DocumentWrites = field(init=False)
    _remembered: LRUCache[str, str] = field(init=False)
    _keep: Any = field(init=False)

    def __post_init__(self) -> None:
        self._writes = DocumentWrites(self.redis, self.breaker, self.config.writes)
        most = max(self.config.remembered_bytes, 4 * self.config.document_bytes + _OVERHEAD)
        self._remembered = LRUCache(most, getsizeof=_size)
        self._keep = self.redis.register_script(_KEEP)

    def remembered(self, digest: str) -> str | None:
        """A document that this worker has seen lately."""
        return self._remembered.get(digest)

    async def find(self, digest: str) -> str | None:
        """A document that is known here, or to Redis."""
        found = self._remembered.get(digest)
        if found is not None:
            return found
        try:
            kept = await self.breaker.ask(self.redis.hget(TEXTS, digest))
        except RedisSilentError:
            return None
        text = kept.decode("utf-8", "replace") if isinstance(kept, bytes) else kept
        # Redis is shared, and what is run in a hash's name has this hash.
        if text is None or digest_of(text) != digest:
            return None
        self._remembered[digest] = text
        return text

    def fits(self, text: str) -> bool:
        """Whether a document is small enough to be kept."""
        try:
            return len(text.encode()) <= self.config.document_bytes
        except UnicodeEncodeError:
            return False

    async def keep(self, digest: str, text: str, actor: Actor, address: str) -> None:
        """Keep a document that fits, which this actor has brought. Raises `too_many_requests`."""
        await self._writes.count(actor, address)
        self._remembered[digest] = text
        bounds = (self.config.seconds, self.config.documents, self.config.total_bytes)
        try:
            await self.breaker.ask(self._keep(keys=[TEXTS, INDEX], args=[digest, text, *bounds]))
        except RedisSilentError:
            return


def _size(text: str) -> int:
    return _OVERHEAD + 4 * len(text) if not text.isascii() else _OVERHEAD + len(text)
