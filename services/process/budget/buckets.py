"""Token buckets: shared by all workers in Redis, and local to a worker while Redis does not answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

from redis.asyncio import Redis

from services.process.breaker import Breaker
from services.process.budget.policies import BudgetPolicy

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
# A refusal reports when there will be enough points if none are spent until then, and when the leases of other workers
# have ended. A look-up (`looks`) reports the same, returns the worker's lease, and takes nothing.
_TAKE: Final = """
local price, back, max_lease = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local quota, rate, worker = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
local lately, spare, share = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local usable, looks, now = tonumber(ARGV[10]), ARGV[11] == '1', tonumber(ARGV[12])
local window = quota / rate
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) + tonumber(time[2]) / 1000000
end
redis.call('ZADD', KEYS[2], now, worker)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - lately)
redis.call('EXPIRE', KEYS[2], lately)
local workers = redis.call('ZCARD', KEYS[2])

local points, at, own, others, clear, leases = quota, now, 0, 0, now, {}
local kept = redis.call('HGETALL', KEYS[1])
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
                     over = tonumber(since) + window, till = tonumber(till)}
      if name == worker then own = lease.points else others = others + lease.points end
      leases[#leases + 1] = lease
    else
      redis.call('HDEL', KEYS[1], name)
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
    redis.call('HDEL', KEYS[1], lease.name)
  elseif lease.name ~= worker then
    live[#live + 1] = lease
  end
end
points = math.min(quota - others, filled(now, own + others) + math.min(back, held))
points = tonumber(string.format('%.6f', math.max(0, points)))

local taken, leased, left, wait = 0, 0, points, 0
local clock = string.format('%.6f', now)
-- Points are stored with six digits, so rounding may have removed the last one.
if points + 0.000001 >= price then
  taken = 1
  if not looks then
    left = math.max(0, points - price)
    leased = math.max(0, math.floor(math.min(max_lease, left / (spare * workers))))
    left = left - leased
  end
else
  for _, lease in ipairs(live) do
    if price <= quota - others then break end
    points = filled(lease.over, others)
    others = others - lease.points
  end
  wait = math.max(0.000001, at - now + math.max(0, price - points) / rate)
end
redis.call('HSET', KEYS[1], 'points', string.format('%.6f', left), 'at', clock)
if leased > 0 then
  redis.call('HSET', KEYS[1], worker, leased .. '@' .. clock .. '@' .. string.format('%.6f', now + usable))
else
  redis.call('HDEL', KEYS[1], worker)
end
redis.call('EXPIRE', KEYS[1], math.ceil(window) + 1)
return {taken, leased, string.format('%.6f', left), workers, string.format('%.6f', wait),
        string.format('%.6f', clear - now)}
"""


# An expired bucket is full, and is left alone; points beyond the quota are dropped by the next `take`.
_PUT_BACK: Final = """
if redis.call('HEXISTS', KEYS[1], 'points') == 1 then redis.call('HINCRBYFLOAT', KEYS[1], 'points', ARGV[1]) end
"""


@dataclass(frozen=True, slots=True)
class BucketReply:
    """Result of asking a bucket: whether the price was paid, points leased, and points left in the bucket.

    `workers` is how many have asked Redis in the last minute. If the price was not paid, `wait` is the seconds until it
    can be, and `clear` the seconds until the leases of other workers have ended.
    """

    paid: bool
    leased: int
    left: float
    workers: int
    wait: float = 0.0
    clear: float = 0.0


@dataclass(slots=True)
class SharedBuckets:
    """The buckets in Redis. A lease is valid for `lease_seconds`. `clock` replaces that of Redis in tests."""

    redis: Redis
    breaker: Breaker
    clock: Callable[[], float] | None = None
    lease_seconds: float = 2.0
    _worker: str = field(init=False, default_factory=lambda: uuid4().hex)
    _take: Any = field(init=False)
    _put_back: Any = field(init=False)

    def __post_init__(self) -> None:
        self._take = self.redis.register_script(_TAKE)
        self._put_back = self.redis.register_script(_PUT_BACK)

    def usable(self, policy: BudgetPolicy) -> float:
        """Return for how many seconds a lease is valid: well below the time for which the bucket is kept."""
        return min(self.lease_seconds, policy.window / 2)

    async def take(self, key: str, policy: BudgetPolicy, price: int, back: int, *, lease: bool = True) -> BucketReply:
        """Pay a price, and `lease` further points. `back` is the unspent points of the previous lease.

        Raise RedisSilentError.
        """
        return await self._ask(key, policy, price, back, policy.quota // LEASE_SHARE if lease else 0)

    async def look(self, key: str, policy: BudgetPolicy, price: int, back: int) -> BucketReply:
        """Ask whether and when the price can be paid, taking nothing. `back` and errors are those of `take`."""
        return await self._ask(key, policy, price, back, 0, looks=True)

    async def _ask(
        self, key: str, policy: BudgetPolicy, price: int, back: int, max_lease: int, *, looks: bool = False
    ) -> BucketReply:
        now = "" if self.clock is None else repr(self.clock())
        bounds = (LATELY_SECONDS, SPARE_SHARE, LEASE_SHARE, self.usable(policy))
        reply = self._take(
            keys=[f"{_KEY_PREFIX}{key}", WORKERS],
            args=[price, back, max_lease, policy.quota, policy.rate, self._worker, *bounds, int(looks), now],
        )
        paid, leased, left, workers, wait, clear = await self.breaker.ask(reply)
        return BucketReply(bool(paid), int(leased), float(left), max(1, int(workers)), float(wait), float(clear))

    async def put_back(self, key: str, points: int) -> None:
        """Refund points that were just paid. Raise RedisSilentError."""
        await self.breaker.ask(self._put_back(keys=[f"{_KEY_PREFIX}{key}"], args=[points]))


@dataclass(slots=True)
class LocalBucket:
    """A worker's share of a bucket while Redis does not answer."""

    quota: float
    rate: float
    points: float
    at: float

    def take(self, price: int, now: float) -> float:
        """Pay a price. Return 0, or the seconds to wait if there is not enough.

        A price above the share's quota is paid by a full share, which then goes negative.
        """
        wait = self.wait(price, now)
        if not wait:
            self.points -= price
        return wait

    def wait(self, price: int, now: float) -> float:
        """Return the same as `take`, without paying."""
        self.points = min(self.quota, self.points + max(0.0, now - self.at) * self.rate)
        self.at = now
        return max(0.0, min(float(price), self.quota) - self.points) / self.rate
