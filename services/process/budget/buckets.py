"""Token buckets: shared by all workers in Redis, and local to a worker while Redis does not answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import ceil
from typing import Any, Final
from uuid import uuid4

from redis.asyncio import Redis

from services.process.breaker import Breaker

_KEY_PREFIX: Final = "budget2:"
"""Prefix of the buckets' keys. It changes with the format of a bucket, so that during a deployment the workers of two
versions don't read each other's buckets."""
WORKERS: Final = "budget-workers"
"""Sorted set of the workers that have asked Redis in the last `LATELY_SECONDS`."""
LATELY_SECONDS: Final = 60
LEASE_SHARE: Final = 20
"""A lease is at most one part in this many of a bucket,"""
SPARE_SHARE: Final = 4
"""…and all workers together lease at most one part in this many of what is left."""

# A bucket is a hash: its points and their time, and for each worker its lease: points, start, and end of validity.
# Points and leases together never exceed the quota, so that points returned late cannot overfill a bucket that has
# filled up in the meantime. A lease that is not returned counts for as long as an empty bucket takes to fill. If a
# price exceeds what is possible beside the leases, a lease counts only until its validity ends, so that no caller waits
# for workers that are not asked again. The lease of the worker that asks never counts for longer, so that a wait
# reported by one worker is over on each of them. The clock is that of Redis, so that workers need not agree on the
# time; tests pass their own.
#
# A price is paid from all buckets of a caller, or from none. Each reports when there will be enough points if none are
# spent until then, and when the leases of other workers have ended.
_TAKE: Final = """
local price, worker, now = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local lately, spare, share = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) + tonumber(time[2]) / 1000000
end
redis.call('ZADD', KEYS[1], now, worker)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - lately)
redis.call('EXPIRE', KEYS[1], lately)
local workers = redis.call('ZCARD', KEYS[1])

-- Brings a bucket up to date; returns its points, the wait for the price, and when the leases of others have ended.
local function opened(key, back, quota, rate)
  local points, at, own, others, clear, leases = quota, now, 0, 0, now, {}
  local kept = redis.call('HGETALL', key)
  for i = 1, #kept, 2 do
    local name, value = kept[i], kept[i + 1]
    if name == 'points' then
      points = tonumber(value)
    elseif name == 'at' then
      at = tonumber(value)
    else
      local leased, since, till = string.match(value, '^(%d+)@([^@]+)@([^@]+)$')
      if leased then
        -- The quota may have been reduced since it was leased.
        local lease = {name = name, points = math.min(tonumber(leased), math.floor(quota / share)),
                       over = tonumber(since) + quota / rate, till = tonumber(till)}
        if name == worker then own = lease.points else others = others + lease.points end
        leases[#leases + 1] = lease
      else
        redis.call('HDEL', key, name)
      end
    end
  end

  local held, pressing = own, price > quota - others - own
  for _, lease in ipairs(leases) do
    local ended = math.min(lease.till, lease.over)
    if lease.name ~= worker then clear = math.max(clear, ended) end
    if pressing or lease.name == worker then lease.over = ended end
  end
  table.sort(leases, function(a, b) return a.over < b.over end)

  -- Advances `at` to a moment, and returns the points then, with `leased` points leased in between.
  local function filled(moment, leased)
    local more = math.max(0, moment - at) * rate
    at = math.max(at, moment)
    return math.max(0, math.min(quota - leased, points + more))
  end

  local live = {}
  for _, lease in ipairs(leases) do
    if lease.over <= now then
      points = filled(lease.over, own + others)
      if lease.name == worker then own = 0 else others = others - lease.points end
      redis.call('HDEL', key, lease.name)
    elseif lease.name ~= worker then
      live[#live + 1] = lease
    end
  end
  points = math.min(quota - others, filled(now, own + others) + math.min(back, held))
  points = tonumber(string.format('%.6f', math.max(0, points)))

  local left, wait = points, 0
  -- Points are stored with six digits, so rounding may have removed the last one.
  if points + 0.000001 < price then
    for _, lease in ipairs(live) do
      if price <= quota - others then break end
      points = filled(lease.over, others)
      others = others - lease.points
    end
    wait = math.max(0.000001, at - now + math.max(0, price - points) / rate)
  end
  return left, wait, clear - now
end

local buckets, longest, reply = {}, 0, {workers}
for i = 2, #KEYS do
  local back, max_lease, quota, rate, usable = unpack(ARGV, i * 5 - 3, i * 5 + 1)
  local left, wait, clear = opened(KEYS[i], tonumber(back), tonumber(quota), tonumber(rate))
  buckets[i - 1] = {key = KEYS[i], left = left, wait = wait, clear = clear, max_lease = tonumber(max_lease),
                    window = quota / rate, over = now + usable}
  longest = math.max(longest, wait)
end
local clock = string.format('%.6f', now)
for _, bucket in ipairs(buckets) do
  local left, leased = bucket.left, 0
  if longest == 0 then
    left = math.max(0, left - price)
    leased = math.max(0, math.floor(math.min(bucket.max_lease, left / (spare * workers))))
    left = left - leased
  end
  redis.call('HSET', bucket.key, 'points', string.format('%.6f', left), 'at', clock)
  if leased > 0 then
    redis.call('HSET', bucket.key, worker, leased .. '@' .. clock .. '@' .. string.format('%.6f', bucket.over))
  else
    redis.call('HDEL', bucket.key, worker)
  end
  redis.call('EXPIRE', bucket.key, math.ceil(bucket.window) + 1)
  reply[#reply + 1] = {leased, string.format('%.6f', left), string.format('%.6f', bucket.wait),
                       string.format('%.6f', bucket.clear)}
end
return reply
"""


@dataclass(frozen=True, slots=True)
class BudgetPolicy:
    """Size and rate of a bucket: `quota` points, refilled within `window` seconds by `rate` a second."""

    name: str
    quota: int
    window: int
    rate: float
    shown: bytes = field(init=False)
    """The item of the header field `RateLimit-Policy`."""
    _state: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shown", f'"{self.name}";q={self.quota};w={self.window}'.encode())
        object.__setattr__(self, "_state", f'"{self.name}";r=%d;t=%d'.encode())

    def state(self, left: int, wait: int) -> bytes:
        """Return the item of `RateLimit`: points left, and the seconds to wait or until the bucket is full again."""
        return self._state % (left, wait or self.reset(left))

    def reset(self, left: int) -> int:
        return -(-(self.quota - left) * self.window // self.quota)


@lru_cache(maxsize=4096)
def budget_policy(name: str, per_minute: int, burst_seconds: int) -> BudgetPolicy:
    """Return the policy for a number of points a minute. The quota is at least one point."""
    quota = max(1, per_minute * burst_seconds // 60)
    return BudgetPolicy(name, quota, ceil(quota * 60 / per_minute), per_minute / 60)


@dataclass(frozen=True, slots=True)
class BucketReply:
    """What a bucket says when it is asked for a price: points leased, if all has been paid, and points left in it.

    `wait` is the seconds until the price can be paid, 0 if it can be now; `clear` the seconds until the leases of other
    workers have ended.
    """

    leased: int
    left: float
    wait: float
    clear: float


@dataclass(slots=True)
class SharedBuckets:
    """The buckets in Redis. A worker leases a share of one at a time, which it may spend for `lease_seconds`.

    `clock` replaces that of Redis in tests.
    """

    redis: Redis
    breaker: Breaker
    clock: Callable[[], float] | None = None
    lease_seconds: float = 2.0
    workers: int = field(init=False, default=1)
    """How many have asked Redis in the last minute."""
    _worker: str = field(init=False, default_factory=lambda: uuid4().hex)
    _take: Any = field(init=False)

    def __post_init__(self) -> None:
        self._take = self.redis.register_script(_TAKE)

    def usable(self, policy: BudgetPolicy) -> float:
        """Return for how many seconds a lease is valid: well below the time for which the bucket is kept."""
        return min(self.lease_seconds, policy.window / 2)

    async def take(self, asked: Sequence[tuple[str, BudgetPolicy, int]], price: int) -> list[BucketReply]:
        """Pay a price from all of these buckets and lease further points of each, or take nothing.

        A bucket is its key, its policy, and the unspent points of the previous lease. Raise RedisSilentError.
        """
        now = "" if self.clock is None else repr(self.clock())
        arguments: list[Any] = [price, self._worker, now, LATELY_SECONDS, SPARE_SHARE, LEASE_SHARE]
        for _, policy, back in asked:
            max_lease = policy.quota // LEASE_SHARE if self.lease_seconds > 0 else 0
            arguments += [back, max_lease, policy.quota, policy.rate, self.usable(policy)]
        keys = [WORKERS, *(f"{_KEY_PREFIX}{key}" for key, *_ in asked)]
        self.workers, *found = await self.breaker.ask(self._take(keys=keys, args=arguments))
        return [BucketReply(leased, float(left), float(wait), float(clear)) for leased, left, wait, clear in found]


@dataclass(slots=True)
class LocalBucket:
    """A worker's share of a bucket while Redis does not answer."""

    quota: float
    rate: float
    points: float
    at: float

    def wait(self, price: int, now: float) -> float:
        """Return the seconds to wait until there is enough; 0 if there is.

        A price above the share's quota is paid by a full share, which then goes negative.
        """
        self.points = min(self.quota, self.points + max(0.0, now - self.at) * self.rate)
        self.at = now
        return max(0.0, min(float(price), self.quota) - self.points) / self.rate
