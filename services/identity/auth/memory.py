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
from uuid import UUID
from weakref import WeakValueDictionary

from cachetools import LRUCache

from services.catalogue import Actor


@dataclass(slots=True, weakref_slot=True, eq=False)
class SubjectValidity:
    """Whether the known state of a subject (a session, an API key, a user) is valid.

    It is shared by all credentials that depend on the subject. Take it before asking for the subject's state, so that a
    revocation that overtakes the answer invalidates the answer.
    """

    valid: bool = True


@dataclass(frozen=True, slots=True)
class VerifiedCredential:
    """A verified credential. It expires at `expires_at` (Unix time); its state is fresh `until` (monotonic clock).

    `standings` are those of the subjects it depends on. It may be used from `networks` only, if there are any.
    """

    actor: Actor
    expires_at: float
    until: float
    standings: tuple[SubjectValidity, ...]
    networks: tuple[IPv4Network | IPv6Network, ...] = ()


class CredentialCache:
    """The actors of the `size` credentials used last.

    A credential depends on subjects, whose revocation invalidates it: a token on its session, an API key on itself and
    its user. `revocations` is the number of those received: a look-up that learns the subject only from the answer, and
    so cannot take a standing first, discards the answer if it has changed meanwhile. The memory is used only before
    `trusted_until`, an instant of the monotonic clock.
    """

    def __init__(self, size: int) -> None:
        self.revocations = 0
        self.trusted_until = 0.0
        self._known: LRUCache[str, VerifiedCredential] = LRUCache(size)
        self._standings: WeakValueDictionary[UUID, SubjectValidity] = WeakValueDictionary()

    def __len__(self) -> int:
        return len(self._known)

    def known(self, credential: str) -> VerifiedCredential | None:
        """Return a remembered credential if it may be used without asking for its state."""
        known = self._known.get(credential)
        if known is None:
            return None
        now = monotonic()
        # After a stall of the event loop the trust has expired, whatever is still unread in its sockets.
        if now < self.trusted_until and now < known.until and time() < known.expires_at and _is_valid(known):
            return known
        return None

    def standing(self, subject: UUID) -> SubjectValidity:
        """Return the standing of a subject, to be taken before asking for its state."""
        standing = self._standings.get(subject)
        if standing is None:
            standing = self._standings[subject] = SubjectValidity()
        return standing

    def remember(self, credential: str, known: VerifiedCredential) -> None:
        """Remember a credential, unless a subject was revoked since its standing was taken."""
        if _is_valid(known):
            self._known[credential] = known

    def forget(self, subjects: Iterable[UUID]) -> None:
        """Invalidate the known state of subjects, including answers that are being asked for."""
        self.revocations += 1
        for subject in subjects:
            standing = self._standings.pop(subject, None)
            if standing is not None:
                standing.valid = False

    def forget_all(self) -> None:
        """Invalidate everything, since revocations may have been missed."""
        self.forget(list(self._standings))


def _is_valid(known: VerifiedCredential) -> bool:
    for standing in known.standings:  # noqa: SIM110 - `all` would double the cost of the look-up
        if not standing.valid:
            return False
    return True
