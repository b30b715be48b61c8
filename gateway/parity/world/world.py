"""The data that calls find: accounts of every role, two workspaces, and rows of every resource; and the callers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from services.catalogue import ANONYMOUS, Actor, Catalogue, Client, Operation
from services.catalogue.resources import Resource
from services.identity.auth.tokens import Tokens
from services.queries.cursors import CursorCodec

ROLES: Final = ("outsider", "viewer", "editor", "owner", "admin")
"""The roles of callers. The guest is a viewer whom calls concern; the stranger owns the foreign workspace."""
OWN, SHARED, EDITORS, FOREIGN, CLOSED = TARGETS = ("own", "shared", "editor's", "foreign", "closed")
"""The rows that calls concern: the caller's own; of the shared workspace, made by its owner (or the guest's), or by its
editor; of the foreign workspace, which only the stranger belongs to; and a closed account."""
FULL, BOUND = "full", "bound"
"""Keys with all scopes: everywhere, and in the shared workspace."""
PASSWORD: Final = "correct horse battery"  # noqa: S105 - of accounts that live as long as the proof
ANONYMOUS_ROLE: Final = "anonymous"
BOUND_KEY: Final = "bound key"
"""The owner's key that is bound to the shared workspace."""
_LONG_AGO: Final = timedelta(days=365)
CLIENT: Final = Client("192.0.2.1", "parity")


@dataclass(frozen=True, slots=True)
class Key:
    """An API key and the actor that it authenticates."""

    secret: str
    actor: Actor


@dataclass(frozen=True, slots=True)
class Account:
    """An account that is signed in."""

    actor: Actor
    access_token: str
    refresh_token: str
    keys: dict[str, Key] = field(default_factory=dict)
    """API keys by name: `FULL`, `BOUND`, or the one scope that the key has; empty without API keys in the catalogue."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row with its public fields as an admin sees them, in JSON's types."""

    id: str
    key: UUID
    values: Mapping[str, Any]


@dataclass(slots=True)
class World:
    """Accounts by role; `rows` by resource and target; callers' `own` rows by resource and role."""

    catalogue: Catalogue
    cursors: CursorCodec
    tokens: Tokens
    started: datetime
    accounts: dict[str, Account] = field(default_factory=dict)
    rows: dict[str, dict[str, Row]] = field(default_factory=dict)
    own: dict[tuple[str, str], Row] = field(default_factory=dict)
    unmade: list[str] = field(default_factory=list)
    """Why there is no row of a resource, in sentences."""

    def row(self, resource: Resource[Any], target: str, role: str | None = None) -> Row | None:
        """Return the row of a target; `role` is the caller's, for `OWN`."""
        if target == OWN:
            return self.own.get((resource.name, role or ""))
        return self.rows.get(resource.name, {}).get(target)

    def reference(self, prefix: str, place: str = SHARED) -> str | None:
        """Return the identifier of a row with this prefix in the shared or the foreign workspace, if there is one."""
        resource = self.catalogue.by_prefix.get(prefix)
        rows = self.rows.get(resource.name, {}) if resource is not None else {}
        row = rows.get(EDITORS, rows.get(SHARED)) if place == SHARED else rows.get(FOREIGN)
        return row.id if row is not None else None

    def token(self, actor: Actor, issued: datetime | None = None) -> str:
        assert actor.user_id is not None
        assert actor.session_id is not None
        return self.tokens.issue(
            "access", user_id=actor.user_id, session_id=actor.session_id, scopes=actor.scopes,
            now=issued or self.started,
        )  # fmt: skip


def resource_of(operation: Operation) -> Resource[Any]:
    assert operation.resource is not None
    return operation.resource


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


def callers(world: World, needs: Sequence[str]) -> Iterator[Caller]:
    """Yield the callers for a call that needs these scopes. A new kind of credential is added here."""
    yield Caller(ANONYMOUS_ROLE, ANONYMOUS_ROLE, {}, ANONYMOUS, column=ANONYMOUS_ROLE)
    for role in ROLES:
        account = world.accounts[role]
        yield Caller(role, role, _bearer(account.access_token), account.actor, column=role)
        for scope in needs:
            narrow = replace(account.actor, scopes=account.actor.scopes - {scope})
            yield Caller(f"{role} without {scope}", role, _bearer(world.token(narrow)), narrow, scope)
        keys = account.keys
        if FULL in keys:
            yield Caller(f"{role} by key", role, _key(keys[FULL]), keys[FULL].actor)
        if BOUND in keys:
            yield Caller(BOUND_KEY, role, _key(keys[BOUND]), keys[BOUND].actor, column=BOUND_KEY)
        lacking = [key for key in keys.values() if len(needs) == 1 and needs[0] not in key.actor.scopes]
        for key in lacking[:1]:
            yield Caller(f"{role} by key without {needs[0]}", role, _key(key), key.actor, needs[0])
    yield Caller("garbage", ANONYMOUS_ROLE, _bearer("no.token.atall"), None)
    expired = world.token(world.accounts[ROLES[-1]].actor, world.started - _LONG_AGO)
    yield Caller("expired token", ANONYMOUS_ROLE, _bearer(expired), None)


def _key(key: Key) -> dict[str, str]:
    return {"X-API-Key": key.secret}


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
