"""Rate limits of sign-in attempts and of mails, per account and per network.

They are counted in Redis, or in the worker's memory while Redis is unavailable.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

from limits import RateLimitItem, parse_many
from redis.asyncio import Redis

from services.catalogue import Problem
from services.catalogue.problems import TOO_MANY_REQUESTS
from services.catalogue.text import fold
from services.process.breaker import Breaker
from services.process.networks import network_of
from services.process.throttling import Throttle

LOOSER: Final = 3
"""An account has this many times the attempts that each of its names has."""


class SignInThrottle:
    """Counts attempts before they are verified. A success resets the account's count.

    The rates are in the syntax of the library `limits`: attempts for an account and from a network address, mails of a
    sender and to an address.
    """

    def __init__(
        self, redis: Redis, breaker: Breaker, per_account: str, per_address: str, per_sender: str, per_mailbox: str
    ) -> None:
        self._throttle = Throttle(redis, breaker, "sign-in")
        self._per_name = parse_many(per_account)
        self._per_account = [type(rate)(rate.amount * LOOSER, rate.multiples) for rate in self._per_name]
        self._per_address = parse_many(per_address)
        self._per_sender = parse_many(per_sender)
        self._per_mailbox = parse_many(per_mailbox)

    async def address(self, address: str) -> None:
        """Count an attempt from a network address. Raise `too_many_requests` with the seconds to wait."""
        await self._hit(self._per_address, "address", network_of(address))

    async def sign_in(self, name: str, account: str | None) -> None:
        """Count an attempt to sign in by a name, and for its account, if any. Raise as `address`.

        Names have counts of their own, so that a throttled name does not reveal which address belongs to it; the limit
        of the account is `LOOSER` times as high.
        """
        await self._hit(self._per_name, "name", _key(name))
        if account is not None:
            await self._hit(self._per_account, "account", _key(account))

    async def own(self, account: str) -> None:
        """Count an attempt of a signed-in user, apart from sign-ins by strangers. Raise as `address`."""
        await self._hit(self._per_name, "own", _key(account))

    async def mail(self, purpose: str, email: str, *, address: str, account: str | None = None) -> None:
        """Count a mail by the client at `address` and their `account`, if they are signed in. Raise as `address`."""
        for sender in filter(None, (network_of(address), account)):
            await self._hit(self._per_sender, f"{purpose} by", sender)
        await self._hit(self._per_mailbox, f"{purpose} to", _key(email))

    async def may_tell(self, purpose: str, email: str) -> bool:
        return not await self._throttle.hit(self._per_mailbox, f"{purpose} to", _key(email))

    async def succeeded(self, account: str, *names: str) -> None:
        """Reset the counts of an account and of these names."""
        await self._throttle.clear(self._per_account, "account", _key(account))
        await self._throttle.clear(self._per_name, "own", _key(account))
        for name in names:
            await self._throttle.clear(self._per_name, "name", _key(name))

    async def _hit(self, rates: Sequence[RateLimitItem], kind: str, key: str) -> None:
        wait = await self._throttle.hit(rates, kind, key)
        if wait:
            raise Problem(TOO_MANY_REQUESTS, f"Too many attempts. Try again in {wait} seconds.", retry_after=wait)


def _key(account: str) -> str:
    return blake2b(fold(account.strip()).encode(), digest_size=16).hexdigest()
