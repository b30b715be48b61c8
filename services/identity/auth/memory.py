"""A worker's memory of verified credentials, which finds the caller of a request without a round trip.

An entry is used only while it cannot be outdated by more than a second: until the credential expires, while the state
of its session or key is considered fresh (auth/sessions.py), and while the channel of revocations is known to be alive
(auth/revocations.py). Otherwise Redis or PostgreSQL is asked.

The key is the text of the header field itself. A digest would double the cost of the look-up and protect nothing: the
process that holds these texts also holds the key that signs them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from time import monotonic, time
from typing import Final
from uuid import UUID

from cachetools import LRUCache

from services.catalogue import Actor

REMEMBERED_SECONDS: Final = 30
"""How long the state of a session or key is used before it is asked for again, in any case."""


@dataclass(frozen=True, slots=True)
class VerifiedCredential:
    """A verified credential. It expires at `expires_at` (Unix time), and may be used from `networks` only, if any.

    It depends on `subjects`, whose revocation invalidates it: a token on its session, an API key on itself and its
    user. Their state was asked for at `asked_at`, and is fresh `until` (monotonic clock).
    """

    actor: Actor
    expires_at: float
    asked_at: float
    until: float
    subjects: tuple[str, ...]
    networks: tuple[IPv4Network | IPv6Network, ...] = ()


class CredentialCache:
    """The actors of the `size` credentials used last. It is used only before `trusted_until` (monotonic clock)."""

    def __init__(self, size: int) -> None:
        self.trusted_until = 0.0
        self._known: LRUCache[str, VerifiedCredential] = LRUCache(size)
        self._revoked_at: dict[str, float] = {}
        self._all_revoked_at = 0.0

    def known(self, credential: str) -> VerifiedCredential | None:
        """Return a remembered credential if it may be used without asking for its state."""
        known = self._known.get(credential)
        if known is None or known.asked_at <= self._all_revoked_at:
            return None
        now = monotonic()
        # After a stall of the event loop the trust has expired, whatever is still unread in its sockets.
        if now >= self.trusted_until or now >= known.until or time() >= known.expires_at:
            return None
        for subject in known.subjects:
            if known.asked_at <= self._revoked_at.get(subject, 0.0):
                return None
        return known

    def remember(self, credential: str, known: VerifiedCredential) -> None:
        self._known[credential] = known

    def forget(self, subjects: Iterable[UUID]) -> None:
        """Invalidate what is known of subjects, including answers that are being asked for."""
        now = monotonic()
        for subject in subjects:
            self._revoked_at.pop(subject.hex, None)
            self._revoked_at[subject.hex] = now
        # The oldest are first; what was asked for before them is not fresh any more, by a wide margin.
        while self._revoked_at:
            oldest = next(iter(self._revoked_at))
            if self._revoked_at[oldest] > now - 2 * REMEMBERED_SECONDS:
                break
            del self._revoked_at[oldest]

    def forget_all(self) -> None:
        """Invalidate everything, since revocations may have been missed."""
        self._all_revoked_at = monotonic()
