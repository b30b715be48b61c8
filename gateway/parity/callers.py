"""Who calls: every role, with each kind of credential."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from gateway.parity.world import ROLES, World
from services.catalogue import ANONYMOUS, Actor

ANONYMOUS_ROLE: Final = "anonymous"
_LONG_AGO: Final = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody with a credential: its header fields, and the actor that the services shall see behind it.

    `actor` is None for a credential that is worth nothing; `lacks` is a scope that is needed and missing.
    """

    name: str
    role: str
    headers: Mapping[str, str]
    actor: Actor | None
    lacks: str = ""

    @property
    def is_full(self) -> bool:
        """Whether nothing is wrong with the credential."""
        return self.actor is not None and not self.lacks


def callers(world: World, needs: Sequence[str]) -> Iterator[Caller]:
    """Everybody who makes a call that needs these scopes. A further kind of credential is a further `yield` here."""
    yield Caller(ANONYMOUS_ROLE, ANONYMOUS_ROLE, {}, ANONYMOUS)
    everything = frozenset(world.catalogue.scopes)
    for role in ROLES:
        yield _with_token(world, role, everything)
        for scope in needs:
            yield _with_token(world, role, everything - {scope}, scope)
    yield Caller("garbage", ANONYMOUS_ROLE, _bearer("no.token.atall"), None)
    yield Caller("expired token", ANONYMOUS_ROLE, _bearer(_expired(world)), None)


def _with_token(world: World, role: str, scopes: frozenset[str], lacks: str = "") -> Caller:
    token, actor = world.token(role, scopes)
    return Caller(f"{role} without {lacks}" if lacks else role, role, _bearer(token), actor, lacks)


def _expired(world: World) -> str:
    actor = world.accounts[ROLES[-1]].actor
    assert actor.user_id is not None
    assert actor.session_id is not None
    return world.tokens.issue(
        "access", user_id=actor.user_id, session_id=actor.session_id, scopes=actor.scopes,
        now=world.started - _LONG_AGO,
    )  # fmt: skip


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
