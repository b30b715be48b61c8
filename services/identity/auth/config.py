from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class AuthConfig:
    """Keys, lifetimes, limits and costs of authentication.

    `scopes` are all that exist. Limits are in the syntax of the library `limits`. `remembered_tokens` is the size of
    each worker's memory. `refresh_grace` is how long a replaced refresh token is still accepted.
    """

    secret: str = field(repr=False)
    scopes: tuple[str, ...]
    issuer: str = "hybrid-gateway"
    audience: str = "hybrid-gateway"
    algorithm: str = "HS256"
    access_lifetime: timedelta = timedelta(minutes=30)
    refresh_lifetime: timedelta = timedelta(days=30)
    refresh_grace: timedelta = timedelta(seconds=10)
    attempts_per_account: str = "10/5 minutes"
    attempts_per_address: str = "60/5 minutes"
    mails_per_sender: str = "20/hour"
    mails_per_address: str = "5/hour"
    hash_time_cost: int = 3
    hash_memory_kib: int = 65536
    remembered_tokens: int = 10_000
