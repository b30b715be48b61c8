"""Token buckets: the one that all workers share, in Redis, and a worker's own for as long as Redis does not answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

from redis.asyncio import Redis

from services.budget.policies import BudgetPolicy
from services.storage.breaker import Breaker

WORKERS: Final = "budget-workers"
"""Who has asked Redis lately."""
LATELY_SECONDS: Final = 60
LEASE_SHARE: Final = 20
"""A lease is at most this part of a bucket,"""
SPARE_SHARE: Final = 4
"""…and all workers together lease at most this part of what is left."""

# A bucket is a hash: its points, since when, and by worker what is leased since when. Points and leases together are
# never more than the quota, so what comes back late cannot make more of a bucket that has filled up in the meantime.
# The clock is Redis' own, so that workers need not agree on the time; a test brings its own.
_TAKE: Final = """
local price, back, lease = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local quota, rate, worker = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
local window, now = quota / rate, tonumber(ARGV[9])
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) + tonumber(time[2]) / 1000000
end
redis.call('ZADD', KEYS[2], now, worker)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - tonumber(ARGV[7]))
redis.call('EXPIRE', KEYS[2], ARGV[7])
local workers = redis.call('ZCARD', KEYS[2])
local points, at, own, others = quota, now, 0, 0
local kept = redis.call('HGETALL', KEYS[1])
for i = 1, #kept, 2 do
  local name, value = kept[i], kept[i + 1]
  if name == 'points' then
    points = tonumber(value)
  elseif name == 'at' then
    at = tonumber(value)
  else
    local leased, since = string.match(value, '^(%d+)@(.+)$')
    if now - tonumber(since) > window then
      redis.call('HDEL', KEYS[1], name)
    elseif name == worker then
      own = tonumber(leased)
    else
      others = others + tonumber(leased)
    end
  end
end
points = points + math.max(0, now - at) * rate + math.min(back, own)
points = math.min(quota - others, points)
local taken, leased = 0, 0
if points >= price then
  leased = math.floor(math.min(lease, (points - price) / (tonumber(ARGV[8]) * workers)))
  taken = 1
  points = points - price - leased
end
local clock = string.format('%.6f', now)
redis.call('HSET', KEYS[1], 'points', string.format('%.6f', points), 'at', clock, worker, leased .. '@' .. clock)
redis.call('EXPIRE', KEYS[1], math.ceil(window) + 1)
return {taken, leased, string.format('%.6f', points), workers}
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of asking a bucket: whether the price was paid, points to spend besides, points left behind.

    `workers` have asked Redis in the last minute.
    """

    paid: bool
    leased: int
    left: float
    workers: int


@dataclass(slots=True)
class SharedBuckets:
    """The buckets in Redis. `clock` is for tests."""

    redis: Redis
    breaker: Breaker
    clock: Callable[[], float] | None = None
    _worker: str = field(init=False, default_factory=lambda: uuid4().hex)
    _script: Any = field(init=False)

    def __post_init__(self) -> None:
        self._script = self.redis.register_script(_TAKE)

    async def take(self, key: str, policy: BudgetPolicy, price: int, back: int, *, lease: bool = True) -> Taken:
        """Pay a price, and `lease` some points more. `back` are points of an earlier lease that were not spent.

        Raises RedisSilentError.
        """
        now = "" if self.clock is None else repr(self.clock())
        most = policy.quota // LEASE_SHARE if lease else 0
        question = self._script(
            keys=[f"budget:{key}", WORKERS],
            args=[price, back, most, policy.quota, policy.rate, self._worker, LATELY_SECONDS, SPARE_SHARE, now],
        )
        paid, leased, left, workers = await self.breaker.ask(question)
        return Taken(bool(paid), int(leased), float(left), max(1, int(workers)))


@dataclass(slots=True)
class LocalBucket:
    """A worker's share of a bucket that nobody can be asked about."""

    quota: float
    rate: float
    points: float
    at: float

    def take(self, price: int, now: float) -> float:
        """Pay a price; the seconds to wait where there is not enough, 0 where there is.

        What costs more than the whole share is paid by a full one, and owed for the rest.
        """
        self.points = min(self.quota, self.points + max(0.0, now - self.at) * self.rate)
        self.at = now
        wanted = min(float(price), self.quota)
        if self.points < wanted:
            return (wanted - self.points) / self.rate
        self.points -= price
        return 0.0
