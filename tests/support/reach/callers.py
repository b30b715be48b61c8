"""Who walks, and what each may see: stated here by hand, so that the policies are not asked about themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final
from uuid import UUID

from services.engine.gateway import Gateway
from services.identity.auth.tokens import Tokens
from services.storage.base import utc_now
from tests.support.reach.rows import Marked, key, secret_of

NEVER: Final = "never"
"""The group of what nobody may see, not even an admin."""


@dataclass(frozen=True)
class Caller:
    """Somebody who calls. `groups` None: every group but NEVER; `resources` None: rows of every resource."""

    name: str
    person: str | None
    groups: frozenset[str] | None
    resources: frozenset[str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    by_key: str = ""
    """The group of the API key that they call with; with a token otherwise."""

    @property
    def key(self) -> UUID | None:
        """The user's key."""
        return key(self.person) if self.person else None

    def is_in(self, group: str) -> bool:
        """Whether they may see what is the group's."""
        return group != NEVER and (self.groups is None or group in self.groups)

    def reads(self, resource: str) -> bool:
        """Whether they may see rows of the resource at all."""
        return self.resources is None or resource in self.resources

    def sees(self, resource: str, row: Marked) -> bool:
        """Whether they may see this row."""
        return self.reads(resource) and self.is_in(row.group)


def _seen(person: str, *rooms: str) -> frozenset[str]:
    """What everybody sees who is signed in, what is their own, and what is in these workspaces."""
    own = (f"mail{person}", f"device{person}", f"of{person}", f"of{person}owned", f"keys{person}")
    return frozenset({"directory", *own, *rooms})


_OWNED: Final = ("sharedowned", "keysolgashared", "keysedshared")
"""What owners of the shared workspace see besides."""
_CALLERS: Final = (
    Caller("anonymous", None, frozenset(), frozenset()),
    Caller("outsider", "ben", _seen("ben", "beta", "betaowned", "keysbenbeta")),
    Caller("viewer", "vic", _seen("vic", "shared")),
    Caller("editor", "ed", _seen("ed", "shared", "alpha", "keysedshared", "keysedalpha")),
    Caller("owner", "olga", _seen("olga", "shared", *_OWNED)),
    Caller("left", "lou", _seen("lou")),
    Caller("admin", "root", None),
    Caller("narrow", "olga", _seen("olga", "shared"), frozenset({"item", "label"})),
    Caller("bound key", "olga", frozenset({"directory", "shared", *_OWNED}), by_key="keysolgashared"),
)

OWN_LISTS: Final = {"list_sessions"}
"""Lists that show even an admin no more than what is the caller's own."""


def make_callers(gateway: Gateway) -> tuple[Caller, ...]:
    """All of them, with their tokens."""
    return tuple(_with_token(gateway, each) for each in _CALLERS)


def _with_token(gateway: Gateway, caller: Caller) -> Caller:
    if caller.key is None:
        return caller
    if caller.by_key:
        return replace(caller, headers={"X-API-Key": secret_of(caller.by_key)})
    every = frozenset(gateway.catalogue.scopes)
    named = None if caller.resources is None else {gateway.catalogue.resources[each] for each in caller.resources}
    scopes = every if named is None else frozenset(each.read_scope for each in named)
    token = gateway.part(Tokens).issue(
        "access", user_id=caller.key, session_id=key(f"session {caller.person}"), now=utc_now(), scopes=scopes
    )
    headers = {"Authorization": f"Bearer {token}"}
    return Caller(caller.name, caller.person, caller.groups, caller.resources, headers)
