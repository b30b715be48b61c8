"""The callers: every role with each kind of credential."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from gateway.parity.world.world import BOUND, FULL, ROLES, Key, World
from services.catalogue import ANONYMOUS, Actor

ANONYMOUS_ROLE: Final = "anonymous"
BOUND_KEY: Final = "bound key"
"""The owner's key that is bound to the shared workspace."""
_LONG_AGO: Final = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller: the header fields of a credential, and the actor that it authenticates.

    `actor` is None for an invalid credential; `lacks` is a required scope that is missing. `column` is the column in
    the matrix; it is empty for a caller with the same rights as another one there.
    """

    name: str
    role: str
    headers: Mapping[str, str]
    actor: Actor | None
    lacks: str = ""
    column: str = ""

    @property
    def is_full(self) -> bool:
        """Whether the credential is valid and has all scopes that the call needs."""
        return self.actor is not None and not self.lacks


def callers(world: World, needs: Sequence[str]) -> Iterator[Caller]:
    """Yield the callers for a call that needs these scopes. A new kind of credential is added here."""
    yield Caller(ANONYMOUS_ROLE, ANONYMOUS_ROLE, {}, ANONYMOUS, column=ANONYMOUS_ROLE)
    for role in ROLES:
        account = world.accounts[role]
        yield Caller(role, role, _bearer(account.access_token), account.actor, column=role)
        for scope in needs:
            narrow = replace(account.actor, scopes=account.actor.scopes - {scope})
            yield Caller(f"{role} without {scope}", role, _bearer(world.token(narrow)), narrow, scope)
        yield from _with_keys(world, role, needs)
    yield Caller("garbage", ANONYMOUS_ROLE, _bearer("no.token.atall"), None)
    expired = world.token(world.accounts[ROLES[-1]].actor, world.started - _LONG_AGO)
    yield Caller("expired token", ANONYMOUS_ROLE, _bearer(expired), None)


def _with_keys(world: World, role: str, needs: Sequence[str]) -> Iterator[Caller]:
    """Yield the role's API keys: with all scopes, bound, and with one scope that is not the needed one."""
    keys = world.accounts[role].keys
    if FULL in keys:
        yield Caller(f"{role} by key", role, _key(keys[FULL]), keys[FULL].actor)
    if BOUND in keys:
        yield Caller(BOUND_KEY, role, _key(keys[BOUND]), keys[BOUND].actor, column=BOUND_KEY)
    narrow = [key for key in keys.values() if len(needs) == 1 and needs[0] not in key.actor.scopes]
    for key in narrow[:1]:
        yield Caller(f"{role} by key without {needs[0]}", role, _key(key), key.actor, needs[0])


def _key(key: Key) -> dict[str, str]:
    return {"X-API-Key": key.secret}


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
