"""How many documents one actor may have kept in a time: counted in Redis, by each worker while Redis is down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from limits import RateLimitItem, parse_many
from redis.asyncio import Redis

from services.catalogue import Actor, Problem
from services.catalogue.problems import TOO_MANY_REQUESTS
from services.process.breaker import Breaker
from services.process.networks import network_of
from services.process.throttling import Throttle

_NAME: Final = "persisted-documents"


@dataclass(slots=True)
class DocumentWrites:
    """Counts what actors bring. `rate` is in the syntax of the library `limits`."""

    redis: Redis
    breaker: Breaker
    rate: str
    _throttle: Throttle = field(init=False)
    _rates: Sequence[RateLimitItem] = field(init=False)

    def __post_init__(self) -> None:
        self._throttle, self._rates = Throttle(self.redis, self.breaker, _NAME), parse_many(self.rate)

    async def count(self, actor: Actor, address: str) -> None:
        """Count a document of this actor; of the network address where nobody is signed in.

        Raises `too_many_requests` with the seconds to wait.
        """
        key = f"address/{network_of(address)}" if actor.is_anonymous else str(actor)
        wait = await self._throttle.hit(self._rates, key)
        if wait:
            words = f"Too many new documents. Try again in {wait} seconds."
            raise Problem(TOO_MANY_REQUESTS, words, retry_after=wait)
