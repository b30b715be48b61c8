from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from math import ceil


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
