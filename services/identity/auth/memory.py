"""Verified credentials, remembered in the worker, so that a warm request knows its caller without a round trip.

What is remembered is used only while it cannot be wrong for longer than a second: until the credential expires, for as
long as the state of its session or key is taken to hold (see auth/sessions.py), and while the channel that
brings revocations is known to be alive (see auth/revocations.py). When any of these fails, the caller asks
Redis or PostgreSQL.

The key is the text of the header field itself. A digest would cost as much again as the whole lookup and hide nothing:
the process that holds these texts holds the key that signs them, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from time import monotonic, time
from uuid import UUID
from weakref import WeakValueDictionary

from cachetools import LRUCache

from services.catalogue import Actor

Network = IPv4Network | IPv6Network


@dataclass(slots=True, weakref_slot=True, eq=False)
class Standing:
    """Whether what was learned about a subject (a session, an API key, a user) still counts: shared by all credentials
    that depend on it, and by whoever asks about it.

    It is taken before asking, so that a revocation that overtakes the answer spoils the answer.
    """

    valid: bool = True


@dataclass(frozen=True, slots=True)
class Known:
    """A credential that was verified: `expires_at` on the wall clock, `until` on the monotonic one, in seconds.

    `standings` are those of the subjects it depends on. It is good from `networks` only, if there are any.
    """

    actor: Actor
    expires_at: float
    until: float
    standings: tuple[Standing, ...]
    networks: tuple[Network, ...] = ()


@dataclass(slots=True)
class TokenMemory:
    """The actors behind at most `size` credentials, those used last.

    A credential depends on subjects, whose revocation makes it forgotten: a token on its session, an API key on itself
    and its user.
    """

    size: int
    revocations: int = field(init=False, default=0)
    """How many were heard. Who cannot take a standing before asking, since the answer tells the subject, does not keep
    an answer during which another was heard."""
    _known: LRUCache[str, Known] = field(init=False, repr=False)
    _standings: WeakValueDictionary[UUID, Standing] = field(init=False, repr=False)
    _trusted_until: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self._known = LRUCache(self.size)
        self._standings = WeakValueDictionary()

    def __len__(self) -> int:
        return len(self._known)

    @property
    def is_trusted(self) -> bool:
        """Whether every revocation up to less than a second ago is known to have been heard."""
        return monotonic() < self._trusted_until

    def known(self, credential: str) -> Known | None:
        """What is known of a credential; None when that has to be asked."""
        known = self._known.get(credential)
        if known is None:
            return None
        now = monotonic()
        # An event loop that stalled finds the time run out, whatever waits unread in its sockets.
        if now < self._trusted_until and now < known.until and time() < known.expires_at and _counts(known):
            return known
        return None

    def verified(self, credential: str) -> Known | None:
        """A credential that is genuine and has not expired; whether its subjects still live has to be asked."""
        known = self._known.get(credential)
        if known is not None and time() >= known.expires_at:
            del self._known[credential]
            return None
        return known

    def standing(self, subject: UUID) -> Standing:
        """To be taken before the subject's state is asked for, and given to `remember` with the answer."""
        found = self._standings.get(subject)
        if found is None:
            found = self._standings[subject] = Standing()
        return found

    def remember(self, credential: str, known: Known) -> None:
        """Keep who is behind a credential, unless a subject was revoked since its standing was taken."""
        if _counts(known):
            self._known[credential] = known

    def forget(self, subjects: Iterable[UUID]) -> None:
        """What was learned about these subjects, or is being asked at the moment, does not count any more."""
        self.revocations += 1
        for subject in subjects:
            standing = self._standings.pop(subject, None)
            if standing is not None:
                standing.valid = False

    def forget_all(self) -> None:
        """Nothing that was learned counts any more: revocations may have been missed."""
        self.forget(list(self._standings))

    def trust(self, until: float) -> None:
        """Every revocation up to a moment was heard; what is remembered may be used until `until`, monotonic clock."""
        self._trusted_until = until

    def distrust(self) -> None:
        """Revocations are not heard at the moment."""
        self._trusted_until = 0.0


def _counts(known: Known) -> bool:
    """Whether nothing that a credential depends on has been revoked."""
    for each in known.standings:  # noqa: SIM110 - `all` costs a request as much again as the rest of the look-up
        if not each.valid:
            return False
    return True
