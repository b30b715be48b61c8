"""Token buckets: the one that all workers share, in Redis, and a worker's own for as long as Redis does not answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

from redis.asyncio import Redis

from services.process.breaker import Breaker
from services.process.budget.policies import BudgetPolicy

_BOOKS: Final = "budget2:"
"""What the keys of buckets begin with: another one for each form of the book, so that during a deployment workers of
two versions don't read each other's."""
WORKERS: Final = "budget-workers"
"""Who has asked Redis lately."""
LATELY_SECONDS: Final = 60
LEASE_SHARE: Final = 20
"""A lease is at most this part of a bucket,"""
SPARE_SHARE: Final = 4
"""…and all workers together lease at most this part of what is left."""

# A bucket is a hash: its points, since when, and by worker what is leased, since when and until when it may be spent.
# At each moment points and leases together are not more than the quota, so what comes back late cannot make more of a
# bucket that has filled up in the meantime. A lease that has not come back counts for as long as an empty bucket takes
# to fill. Where a price is beyond what there can be beside the leases, it counts only until its worker can't spend it
# any more: then nobody has to wait for workers that are not asked again. That of the worker that asks never counts for
# longer, so that a wait that one worker has told is over on each of them. The clock is Redis' own, so that workers need
# not agree on the time; a test brings its own.
#
# Who is refused learns when there will be enough, if nothing is spent until then, and when no other worker's lease will
# be in the way of any price. Who only looks learns the same, gives back what it has leased, and takes nothing.
_TAKE: Final = """
local price, back, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
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
      -- Since it was leased the quota may have become smaller.
      local each = {name = name, points = math.min(tonumber(leased), math.floor(quota / share)),
                    over = tonumber(since) + window, till = tonumber(till)}
      if name == worker then own = each.points else others = others + each.points end
      leases[#leases + 1] = each
    else
      redis.call('HDEL', KEYS[1], name)
    end
  end
end

local held, pressing = own, price > quota - others - own
for _, each in ipairs(leases) do
  local ended = math.min(each.till, each.over)
  if each.name ~= worker then clear = math.max(clear, ended) end
  if pressing or each.name == worker then each.over = ended end
end
table.sort(leases, function(one, other) return one.over < other.over end)

-- The points at a moment after `at`, with so many leased in between.
local function filled(moment, leased)
  local more = math.max(0, moment - at) * rate
  at = math.max(at, moment)
  return math.max(0, math.min(quota - leased, points + more))
end

local live = {}
for _, each in ipairs(leases) do
  if each.over <= now then
    points = filled(each.over, own + others)
    if each.name == worker then own = 0 else others = others - each.points end
    redis.call('HDEL', KEYS[1], each.name)
  elseif each.name ~= worker then
    live[#live + 1] = each
  end
end
points = math.min(quota - others, filled(now, own + others) + math.min(back, held))
points = tonumber(string.format('%.6f', math.max(0, points)))

local taken, leased, left, wait = 0, 0, points, 0
local clock = string.format('%.6f', now)
-- Points are kept to six digits: of what has been rounded, the last one may be missing.
if points + 0.000001 >= price then
  taken = 1
  if not looks then
    left = math.max(0, points - price)
    leased = math.max(0, math.floor(math.min(most, left / (spare * workers))))
    left = left - leased
  end
else
  for _, each in ipairs(live) do
    if price <= quota - others then break end
    points = filled(each.over, others)
    others = others - each.points
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


# What a bucket has forgotten meanwhile is full again; more than fits in is left out the next time that it is asked.
_PUT_BACK: Final = """
if redis.call('HEXISTS', KEYS[1], 'points') == 1 then redis.call('HINCRBYFLOAT', KEYS[1], 'points', ARGV[1]) end
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of asking a bucket: whether the price was paid, points to spend besides, points left behind.

    `workers` have asked Redis in the last minute. Where it was not paid: the seconds to `wait` until it can be, and
    those until no lease of another worker is in the way of any price (`clear`).
    """

    paid: bool
    leased: int
    left: float
    workers: int
    wait: float = 0.0
    clear: float = 0.0


@dataclass(slots=True)
class SharedBuckets:
    """The buckets in Redis. A lease may be spent for `lease_seconds`. `clock` is for tests."""

    redis: Redis
    breaker: Breaker
    clock: Callable[[], float] | None = None
    lease_seconds: float = 2.0
    _worker: str = field(init=False, default_factory=lambda: uuid4().hex)
    _script: Any = field(init=False)
    _put_back: Any = field(init=False)

    def __post_init__(self) -> None:
        self._script = self.redis.register_script(_TAKE)
        self._put_back = self.redis.register_script(_PUT_BACK)

    def usable(self, policy: BudgetPolicy) -> float:
        """For how many seconds a lease of such a bucket may be spent: well within those for which its book is kept."""
        return min(self.lease_seconds, policy.window / 2)

    async def take(self, key: str, policy: BudgetPolicy, price: int, back: int, *, lease: bool = True) -> Taken:
        """Pay a price, and `lease` some points more. `back` are points of an earlier lease that were not spent.

        Raises RedisSilentError.
        """
        return await self._ask(key, policy, price, back, policy.quota // LEASE_SHARE if lease else 0)

    async def look(self, key: str, policy: BudgetPolicy, price: int, back: int) -> Taken:
        """Whether the price could be paid, and when; nothing is taken. `back`, and what is raised, as of `take`."""
        return await self._ask(key, policy, price, back, 0, looks=True)

    async def _ask(
        self, key: str, policy: BudgetPolicy, price: int, back: int, most: int, *, looks: bool = False
    ) -> Taken:
        now = "" if self.clock is None else repr(self.clock())
        bounds = (LATELY_SECONDS, SPARE_SHARE, LEASE_SHARE, self.usable(policy))
        question = self._script(
            keys=[f"{_BOOKS}{key}", WORKERS],
            args=[price, back, most, policy.quota, policy.rate, self._worker, *bounds, int(looks), now],
        )
        paid, leased, left, workers, wait, clear = await self.breaker.ask(question)
        return Taken(bool(paid), int(leased), float(left), max(1, int(workers)), float(wait), float(clear))

    async def put_back(self, key: str, points: int) -> None:
        """Put back points that were paid just now, for nothing. Raises RedisSilentError."""
        await self.breaker.ask(self._put_back(keys=[f"{_BOOKS}{key}"], args=[points]))


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
        wait = self.wait(price, now)
        if not wait:
            self.points -= price
        return wait

    def wait(self, price: int, now: float) -> float:
        """The same, without paying."""
        self.points = min(self.quota, self.points + max(0.0, now - self.at) * self.rate)
        self.at = now
        return max(0.0, min(float(price), self.quota) - self.points) / self.rate
