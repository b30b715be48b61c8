"""How many points who has."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from math import ceil


@dataclass(frozen=True, slots=True)
class BudgetConfig:
    """Points a minute of users and of network addresses that nobody has signed in from; 0: as many as they like.

    A budget that is not used saves up what `burst_seconds` bring. A worker takes a share of a bucket at a time, which
    it may spend for `lease_seconds` without asking again. At most `remembered` callers are kept in a worker's memory.
    """

    per_minute: int = 0
    anonymous_per_minute: int = 0
    burst_seconds: int = 60
    lease_seconds: float = 2.0
    remembered: int = 10_000


@dataclass(frozen=True, slots=True)
class BudgetPolicy:
    """A bucket's size and how fast it fills: `quota` points, all of them again after `window` seconds."""

    name: str
    quota: int
    window: int
    rate: float
    """Points a second."""
    shown: bytes = field(init=False)
    """An item of `RateLimit-Policy`."""
    header: tuple[bytes, bytes] = field(init=False)
    """The field with this item alone."""
    _state: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shown", f'"{self.name}";q={self.quota};w={self.window}'.encode())
        object.__setattr__(self, "header", (b"ratelimit-policy", self.shown))
        object.__setattr__(self, "_state", f'"{self.name}";r=%d;t=%d'.encode())

    def state(self, left: int, wait: int) -> bytes:
        """An item of `RateLimit`: what is left, and the seconds to wait, or else until all of it is there again."""
        return self._state % (left, wait or -(-(self.quota - left) * self.window // self.quota))

    def reset(self, left: int) -> int:
        """The seconds until a bucket is full again."""
        return -(-(self.quota - left) * self.window // self.quota)


@lru_cache(maxsize=4096)
def budget_policy(name: str, per_minute: int, burst_seconds: int) -> BudgetPolicy:
    """The policy of so many points a minute. A bucket holds a point at least, and fills as fast as is said."""
    quota = max(1, per_minute * burst_seconds // 60)
    return BudgetPolicy(name, quota, ceil(quota * 60 / per_minute), per_minute / 60)
