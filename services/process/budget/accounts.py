"""What a worker knows of callers' buckets, and what requests were charged to them."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final

from services.process.budget.buckets import LocalBucket, Taken
from services.process.budget.policies import BudgetPolicy

_HEARSAY_SECONDS: Final = 1.0
"""For how long a worker refuses on its own, once Redis has refused as much."""


@dataclass(slots=True, eq=False)
class Account:
    """What a worker knows of one bucket: points that it may spend until then, and what was left behind."""

    known_by: Hashable
    key: str
    policy: BudgetPolicy
    points: int = 0
    leased: int = 0
    """What they were when they were taken."""
    until: float = 0.0
    left: float = 0.0
    left_at: float | None = None
    refused: int = 0
    """The price that Redis has refused last, and until when that counts."""
    refused_until: float = 0.0
    payable_at: float = 0.0
    """When it can be paid, if nothing is spent until then; and when no other worker's lease is in the way any more."""
    clear_at: float = 0.0
    enough: int = 0
    """The price that Redis last had enough for without being paid, and until when that counts."""
    enough_until: float = 0.0
    local: LocalBucket | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def remaining(self) -> int:
        """Points left, as far as it is known here."""
        left = int(self.points + self.left if self.local is None else self.local.points)
        return max(0, left)

    def left_in_bucket(self, now: float) -> float:
        """What should be left in the shared bucket by now; all of it if it was never asked."""
        if self.left_at is None:
            return self.policy.quota
        return min(self.policy.quota, self.left + (now - self.left_at) * self.policy.rate)

    def note_refusal(self, price: int, taken: Taken, now: float) -> None:
        """Remember what Redis has said, for a moment."""
        self.refused, self.refused_until = price, now + min(taken.wait, _HEARSAY_SECONDS)
        self.payable_at, self.clear_at = now + taken.wait, now + taken.clear

    def note_enough(self, price: int, now: float) -> None:
        """Remember that there was enough, for the same moment."""
        self.enough, self.enough_until = price, now + _HEARSAY_SECONDS

    def has_enough(self, price: int, now: float) -> bool:
        """Whether the price could be paid, as far as that is known without asking."""
        return (now < self.until and price <= self.points) or (now < self.enough_until and price <= self.enough)

    def known_wait(self, price: int, now: float) -> float:
        """The seconds to wait with what Redis has refused a moment ago; 0 where nothing is known of the price."""
        if now >= self.refused_until or price < self.refused or self.points >= price:
            return 0.0
        if price == self.refused:
            return self.payable_at - now
        # A higher one may have leases in its way that were in nobody's before.
        return max(self.payable_at, self.clear_at) - now + (price - self.refused) / self.policy.rate

    def give_back(self, points: int) -> int:
        """Take back points that were paid for nothing; returns those that are none of the lease."""
        if self.local is not None:
            self.local.points += points
            return 0
        self.points += points
        surplus = max(0, self.points - self.leased)
        self.points -= surplus
        self.left += surplus
        return surplus


@dataclass(slots=True)
class Charge:
    """What a request was charged, and the buckets it was charged to, the narrowest first. `wait`: it was refused.

    `earlier` is what another entry of the same batch was charged.
    """

    points: int
    accounts: tuple[Account, ...]
    wait: int = 0
    earlier: Charge | None = None

    def fields(self) -> list[tuple[bytes, bytes]]:
        """`RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10), and `X-Request-Cost`."""
        points, accounts = self.points, self.accounts
        if self.earlier is not None:
            points, accounts = self._together()
        cost = (b"x-request-cost", b"%d" % points)
        if len(accounts) == 1:
            (account,) = accounts
            return [account.policy.header, (b"ratelimit", account.policy.state(account.remaining, self.wait)), cost]
        policies = b", ".join([each.policy.shown for each in accounts])
        states = b", ".join([each.policy.state(each.remaining, self.wait) for each in accounts])
        return [(b"ratelimit-policy", policies), (b"ratelimit", states), cost]

    def _together(self) -> tuple[int, tuple[Account, ...]]:
        """The points of a whole batch, and all buckets that they came from."""
        points, accounts, each = self.points, dict.fromkeys(self.accounts), self.earlier
        while each is not None:
            points += each.points
            accounts |= dict.fromkeys(each.accounts)
            each = each.earlier
        return points, tuple(accounts)

    def told(self) -> dict[str, int]:
        """The narrowest budget: its limit, what is left of it, and the seconds until it is full again."""
        account = min(self.accounts, key=lambda each: each.remaining)
        left = account.remaining
        return {"limit": account.policy.quota, "left": left, "reset": self.wait or account.policy.reset(left)}
