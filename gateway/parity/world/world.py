"""The data that every call of the proof finds: accounts of every role, two workspaces, and rows of every resource."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from services.catalogue import Actor, Catalogue, Client, Operation
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
        """Return an access token for the session and the scopes of an actor."""
        assert actor.user_id is not None
        assert actor.session_id is not None
        return self.tokens.issue(
            "access", user_id=actor.user_id, session_id=actor.session_id, scopes=actor.scopes,
            now=issued or self.started,
        )  # fmt: skip


def resource_of(operation: Operation) -> Resource[Any]:
    assert operation.resource is not None
    return operation.resource
