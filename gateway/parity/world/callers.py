"""Who calls: every role, with each kind of credential."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from gateway.parity.world.world import BOUND, FULL, ROLES, Key, World
from services.catalogue import ANONYMOUS, Actor

ANONYMOUS_ROLE: Final = "anonymous"
BOUND_KEY: Final = "bound key"
"""The owner's, bound to the shared workspace."""
_LONG_AGO: Final = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody with a credential: its header fields, and the actor that the services shall see behind it.

    `actor` is None for a credential that is worth nothing; `lacks` is a scope that is needed and missing; `column` is
    that of the matrix, none for whoever can do what somebody else there can.
    """

    name: str
    role: str
    headers: Mapping[str, str]
    actor: Actor | None
    lacks: str = ""
    column: str = ""

    @property
    def is_full(self) -> bool:
        """Whether nothing is wrong with the credential."""
        return self.actor is not None and not self.lacks


def callers(world: World, needs: Sequence[str]) -> Iterator[Caller]:
    """Everybody who makes a call that needs these scopes. A further kind of credential is a further `yield` here."""
    yield Caller(ANONYMOUS_ROLE, ANONYMOUS_ROLE, {}, ANONYMOUS, column=ANONYMOUS_ROLE)
    everything = frozenset(world.catalogue.scopes)
    for role in ROLES:
        yield _with_token(world, role, everything)
        for scope in needs:
            yield _with_token(world, role, everything - {scope}, scope)
        yield from _with_keys(world, role, needs)
    yield Caller("garbage", ANONYMOUS_ROLE, _bearer("no.token.atall"), None)
    yield Caller("expired token", ANONYMOUS_ROLE, _bearer(_expired(world)), None)


def _with_token(world: World, role: str, scopes: frozenset[str], lacks: str = "") -> Caller:
    token, actor = world.token(role, scopes)
    name = f"{role} without {lacks}" if lacks else role
    return Caller(name, role, _bearer(token), actor, lacks, "" if lacks else role)


def _with_keys(world: World, role: str, needs: Sequence[str]) -> Iterator[Caller]:
    """The role's API keys: with all scopes, and with one that is not the one needed."""
    keys = world.accounts[role].keys
    if FULL in keys:
        yield Caller(f"{role} by key", role, _key(keys[FULL]), keys[FULL].actor)
    if BOUND in keys:
        yield Caller(BOUND_KEY, role, _key(keys[BOUND]), keys[BOUND].actor, column=BOUND_KEY)
    poor = [each for each in keys.values() if len(needs) == 1 and needs[0] not in each.actor.scopes]
    for key in poor[:1]:
        yield Caller(f"{role} by key without {needs[0]}", role, _key(key), key.actor, needs[0])


def _key(key: Key) -> dict[str, str]:
    return {"X-API-Key": key.secret}


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
