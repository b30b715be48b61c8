"""Limits on attempts to sign in, and on mails that somebody has sent, per account and per address.

Counted in Redis; in the worker's memory while Redis is down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

from limits import RateLimitItem, parse_many
from redis.asyncio import Redis

from services.catalogue import Problem
from services.catalogue.problems import TOO_MANY_REQUESTS
from services.catalogue.text import fold
from services.identity.auth.config import AuthConfig
from services.process.breaker import Breaker
from services.process.networks import network_of
from services.process.throttling import Throttle

_NAME = "sign-in"
LOOSER: Final = 3
"""How many times as many attempts an account has, by all its names, as one of them."""


@dataclass(slots=True)
class SignInThrottle:
    """Counts attempts before they are looked at; a success clears the account's count."""

    redis: Redis
    breaker: Breaker
    config: AuthConfig
    _throttle: Throttle = field(init=False)
    _per_account: Sequence[RateLimitItem] = field(init=False)
    _per_key: Sequence[RateLimitItem] = field(init=False)
    _per_address: Sequence[RateLimitItem] = field(init=False)
    _per_sender: Sequence[RateLimitItem] = field(init=False)
    _per_mailbox: Sequence[RateLimitItem] = field(init=False)

    def __post_init__(self) -> None:
        self._throttle = Throttle(self.redis, self.breaker, _NAME)
        self._per_account = parse_many(self.config.attempts_per_account)
        self._per_key = [type(each)(each.amount * LOOSER, each.multiples) for each in self._per_account]
        self._per_address = parse_many(self.config.attempts_per_address)
        self._per_sender = parse_many(self.config.mails_per_sender)
        self._per_mailbox = parse_many(self.config.mails_per_address)

    async def address(self, address: str) -> None:
        """Count an attempt from a network address. Raises `too_many_requests` with the seconds to wait."""
        await self._hit(self._per_address, "address", network_of(address))

    async def sign_in(self, name: str, account: str | None) -> None:
        """Count an attempt to sign in by a name, as it was given, and at its account, if any. Raises as `address`.

        By the name alone nobody learns which names and addresses belong together; an account has more, for all of its.
        """
        await self._hit(self._per_account, "name", _key(name))
        if account is not None:
            await self._hit(self._per_key, "account", _key(account))

    async def own(self, account: str) -> None:
        """Count an attempt of somebody who is signed in to show their password. Raises as `address`.

        Apart from sign-ins, by which strangers could keep them from it.
        """
        await self._hit(self._per_account, "own", _key(account))

    async def mail(self, purpose: str, email: str, *, address: str, account: str | None = None) -> None:
        """Count a mail for a purpose to `email`, be there an account or not, that somebody at a network address has
        sent, as an account's key if they are signed in. Raises as `address`.
        """
        for sender in filter(None, (network_of(address), account)):
            await self._hit(self._per_sender, f"{purpose} by", sender)
        await self._hit(self._per_mailbox, f"{purpose} to", _key(email))

    async def may_tell(self, purpose: str, email: str) -> bool:
        """Count a mail that tells somebody of something; whether they have not had too many."""
        try:
            await self._hit(self._per_mailbox, f"{purpose} to", _key(email))
        except Problem:
            return False
        return True

    async def succeeded(self, account: str, *names: str) -> None:
        """Forget the attempts at an account, and by these names of it."""
        await self._throttle.clear(self._per_key, "account", _key(account))
        await self._throttle.clear(self._per_account, "own", _key(account))
        for name in names:
            await self._throttle.clear(self._per_account, "name", _key(name))

    async def _hit(self, rates: Sequence[RateLimitItem], kind: str, key: str) -> None:
        wait = await self._throttle.hit(rates, kind, key)
        if wait:
            raise Problem(TOO_MANY_REQUESTS, f"Too many attempts. Try again in {wait} seconds.", retry_after=wait)


def _key(account: str) -> str:
    return blake2b(fold(account.strip()).encode(), digest_size=16).hexdigest()
