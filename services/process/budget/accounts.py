"""A worker's view of callers' buckets, and the charges of requests."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final

from services.process.budget.buckets import BucketReply, BudgetPolicy, LocalBucket

_ANSWER_SECONDS: Final = 1.0
"""How long a worker relies on an answer of Redis that a price can or cannot be paid."""


@dataclass(slots=True, eq=False)
class Account:
    """A worker's view of one bucket: leased `points` to spend `until` then, and the points `left` in the bucket."""

    known_by: Hashable
    key: str
    policy: BudgetPolicy
    points: int = 0
    until: float = 0.0
    left: float = 0.0
    left_at: float | None = None
    refused: int = 0
    """The price that Redis refused last, and until when a worker relies on it."""
    refused_until: float = 0.0
    payable_at: float = 0.0
    """When that price can be paid if nothing else is spent, and when the leases of other workers have ended."""
    clear_at: float = 0.0
    enough: int = 0
    """The price that Redis last reported as payable, and until when a worker relies on it."""
    enough_until: float = 0.0
    local: LocalBucket | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def remaining(self) -> int:
        """Points left, as far as this worker knows."""
        left = int(self.points + self.left if self.local is None else self.local.points)
        return max(0, left)

    def share(self, workers: int, now: float) -> LocalBucket:
        """Return this worker's share of the bucket, which begins with its part of what was last known to be left."""
        if self.local is None:
            quota, rate = self.policy.quota, self.policy.rate
            left = quota if self.left_at is None else min(quota, self.left + (now - self.left_at) * rate)
            self.local = LocalBucket(quota / workers, rate / workers, left / workers, now)
        return self.local

    def note_reply(self, reply: BucketReply, price: int, now: float) -> None:
        """Note the reply to a price that was refused, by this bucket or another of the same caller."""
        if reply.wait:
            self.refused, self.refused_until = price, now + min(reply.wait, _ANSWER_SECONDS)
            self.payable_at, self.clear_at = now + reply.wait, now + reply.clear
        else:
            self.enough, self.enough_until = price, now + _ANSWER_SECONDS

    def has_enough(self, price: int, now: float) -> bool:
        """Return whether the price can be paid, as far as that is known without asking Redis."""
        return (now < self.until and price <= self.points) or (now < self.enough_until and price <= self.enough)

    def known_wait(self, price: int, now: float) -> float:
        """Return the seconds to wait according to the last refusal of Redis; 0 if that does not cover the price."""
        if now >= self.refused_until or price < self.refused or self.points >= price:
            return 0.0
        if price == self.refused:
            return self.payable_at - now
        # A higher price may have to wait for leases that did not matter to the refused one.
        return max(self.payable_at, self.clear_at) - now + (price - self.refused) / self.policy.rate


@dataclass(slots=True)
class Charge:
    """The points of a request and the accounts they were charged to, the narrowest first.

    `wait` is the seconds to wait if it was refused; `earlier` is the charge of the previous entry of the same batch.
    """

    points: int
    accounts: tuple[Account, ...]
    wait: int = 0
    earlier: Charge | None = None

    def fields(self) -> list[tuple[bytes, bytes]]:
        """Return `RateLimit-Policy`, `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10) and `X-Request-Cost`."""
        points, accounts, charge = self.points, dict.fromkeys(self.accounts), self.earlier
        while charge is not None:
            points += charge.points
            accounts |= dict.fromkeys(charge.accounts)
            charge = charge.earlier
        policies = b", ".join([account.policy.shown for account in accounts])
        states = b", ".join([account.policy.state(account.remaining, self.wait) for account in accounts])
        return [(b"ratelimit-policy", policies), (b"ratelimit", states), (b"x-request-cost", b"%d" % points)]

    def told(self) -> dict[str, int]:
        """Return limit, points left and seconds until full of the account with the fewest points left."""
        account = min(self.accounts, key=lambda account: account.remaining)
        left = account.remaining
        return {"limit": account.policy.quota, "left": left, "reset": self.wait or account.policy.reset(left)}
