"""One budget of points for each caller, across faces and workers.

A caller is a user, an API key with a budget of its own (charged in addition to its user's), or, for anonymous requests,
a network address. A worker takes points from a bucket in Redis before it spends them, the price of the present request
and a lease for later ones, so that no more is spent than the bucket has given. docs/budget.md describes the effects.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from math import ceil
from time import monotonic

import structlog

from services.catalogue.actors import Actor
from services.catalogue.problems import QUOTA_EXCEEDED, TOO_COMPLEX, Problem
from services.process import observation
from services.process.breaker import RedisSilentError
from services.process.budget.accounts import Account, Charge
from services.process.budget.buckets import SharedBuckets, budget_policy
from services.process.networks import network_of

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Budget:
    """Charges users and anonymous network addresses, by points a minute; 0 means unlimited.

    An unused budget accumulates the points of `burst_seconds`. A worker keeps at most `remembered` callers in memory.
    `count` is told what is `charged`, `refused` and decided without Redis (`local`), by face.
    """

    buckets: SharedBuckets
    count: Callable[..., None]
    per_minute: int = 0
    anonymous_per_minute: int = 0
    burst_seconds: int = 60
    remembered: int = 10_000
    clock: Callable[[], float] = monotonic
    _accounts: OrderedDict[Hashable, Account] = field(init=False, default_factory=OrderedDict, repr=False)
    _local: bool = field(init=False, default=False)

    @property
    def is_on(self) -> bool:
        return bool(self.per_minute or self.anonymous_per_minute)

    def charge_lease(self, actor: Actor, price: int, face: str) -> Charge | None:
        """Charge a user whose lease covers the price, the usual case. Return None in other cases."""
        account = self._accounts.get(actor.user_id)
        if account is None or actor.budget is not None or account.points < price or self.clock() >= account.until:
            return None
        account.points -= price
        charge = Charge(price, (account,))
        observation.note_charge(charge)
        self.count("charged", face, points=price)
        return charge

    async def charge(self, actor: Actor, address: str, price: int, face: str) -> Charge | None:
        """Charge a caller before the request is executed, and note it for the header fields; None without a budget.

        Raise `quota_exceeded` if there are not enough points left, and `too_complex` if the price exceeds the quota.
        """
        accounts = self._accounts_of(actor, address)
        if not accounts:
            return None
        charge = Charge(price, accounts)
        observation.note_charge(charge)
        quota = min(account.policy.quota for account in accounts)
        try:
            if price > quota:
                reason = f"This costs {price:,} points, and a budget never holds more than {quota:,}."
                raise Problem(TOO_COMPLEX, reason, cost=price, limit=quota)
            await self._pay_all(accounts, price, face)
        except Problem as problem:
            charge.points, charge.wait = 0, problem.retry_after or 0
            self.count("refused", face)
            raise
        self.count("charged", face, points=price)
        return charge

    def _accounts_of(self, actor: Actor, address: str) -> tuple[Account, ...]:
        if actor.user_id is None:
            if not self.anonymous_per_minute:
                return ()
            network = network_of(address)
            return (self._account(network, f"net:{network}", "anonymous", self.anonymous_per_minute),)
        users: tuple[Account, ...] = ()
        if self.per_minute:
            users = (self._account(actor.user_id, f"usr:{actor.user_id.hex}", "default", self.per_minute),)
        if actor.budget is None or actor.key_id is None:
            return users
        per_minute = min(actor.budget, self.per_minute or actor.budget)
        return (self._account(actor.key_id, f"key:{actor.key_id.hex}", "key", per_minute), *users)

    def _account(self, known_by: Hashable, key: str, name: str, per_minute: int) -> Account:
        account = self._accounts.get(known_by)
        if account is None:
            policy = budget_policy(name, per_minute, self.burst_seconds)
            account = self._accounts[known_by] = Account(known_by, key, policy)
            if len(self._accounts) > self.remembered:
                self._accounts.popitem(last=False)
        return account

    async def _pay_all(self, accounts: Sequence[Account], price: int, face: str) -> None:
        """Pay from every account, or from none. Raise `quota_exceeded` for the account with the longest wait."""
        waits = self._pay_leased(accounts, price)
        if not waits and any(account.local is not None and account.lock.locked() for account in accounts):
            # Another request is waiting for Redis, which did not answer before: do not wait as well.
            waits = self._pay_locally(accounts, price, face)
        elif not waits:
            async with AsyncExitStack() as held:
                for account in accounts:
                    await held.enter_async_context(account.lock)
                waits = self._pay_leased(accounts, price) or await self._take(accounts, price, face)
        longest = max(waits)
        if longest:
            account, seconds = accounts[waits.index(longest)], max(1, ceil(longest))
            left = account.remaining
            raise Problem(
                QUOTA_EXCEEDED,
                f"This costs {price:,} points, of which {left:,} are left. Try again in {seconds} seconds.",
                retry_after=seconds, cost=price, left=left, policy=account.policy.name,
            )  # fmt: skip

    def _pay_leased(self, accounts: Sequence[Account], price: int) -> list[float]:
        """Pay from the leases. Return the seconds to wait for each account; none if Redis must be asked for them."""
        now = self.clock()
        if all(account.points >= price and now < account.until for account in accounts):
            for account in accounts:
                account.points -= price
            return [0.0]
        waits = [account.known_wait(price, now) for account in accounts]
        is_known = [wait or account.has_enough(price, now) for wait, account in zip(waits, accounts, strict=True)]
        return waits if any(waits) and all(is_known) else []

    async def _take(self, accounts: Sequence[Account], price: int, face: str) -> list[float]:
        """Pay from the buckets, and lease more. Return the seconds to wait for each."""
        asked, now = [(account.key, account.policy, account.points) for account in accounts], self.clock()
        for account in accounts:
            account.points = 0
        try:
            replies = await self.buckets.take(asked, price)
        except RedisSilentError:
            # Redis may have received the points given back, so they are not spent here.
            self._note_local(True)
            return self._pay_locally(accounts, price, face)
        self._note_local(False)
        waits = [reply.wait for reply in replies]
        for account, reply in zip(accounts, replies, strict=True):
            if account.known_by in self._accounts:
                # The account asked least recently is evicted first.
                self._accounts.move_to_end(account.known_by)
            account.local, account.left, account.left_at, account.enough_until = None, reply.left, now, 0.0
            if any(waits):
                account.note_reply(reply, price, now)
            else:
                account.points, account.until = reply.leased, now + self.buckets.usable(account.policy)
        return waits

    def _pay_locally(self, accounts: Sequence[Account], price: int, face: str) -> list[float]:
        self.count("local", face)
        now = self.clock()
        shares = [account.share(self.buckets.workers, now) for account in accounts]
        waits = [share.wait(price, now) for share in shares]
        if not any(waits):
            for share in shares:
                share.points -= price
        return waits

    def _note_local(self, local: bool) -> None:
        if local is not self._local:
            self._local = local
            if local:
                log.warning("budget_local", consequence="each worker counts its share of the budgets by itself")
            else:
                log.info("budget_shared_again")
