"""What every call of the proof finds: accounts of every role, two workspaces, and rows of every resource in both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from gateway.parity.world.asgi import ADDRESS, AGENT
from services.catalogue import Actor, Catalogue, Client
from services.catalogue.resources import Resource
from services.identity.auth.tokens import Tokens
from services.queries.cursors import CursorCodec

ROLES: Final = ("outsider", "viewer", "editor", "owner", "admin")
"""Those who call. A guest (a viewer, too) is called about, and a stranger owns another workspace."""
OWN, SHARED, EDITORS, FOREIGN, CLOSED = TARGETS = ("own", "shared", "editor's", "foreign", "closed")
"""Rows to call about: the caller's own; of the shared workspace, made by its owner (or about the guest), or by its
editor; of a workspace with which only the stranger has to do; and the account that somebody has closed."""
FULL, BOUND = "full", "bound"
"""Keys with all scopes: everywhere, and in the shared workspace."""
PASSWORD: Final = "correct horse battery"  # noqa: S105 - of accounts that live as long as the proof
CLIENT: Final = Client(ADDRESS, AGENT)


@dataclass(frozen=True, slots=True)
class Key:
    """An API key, and who calls with it."""

    secret: str
    actor: Actor


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who has signed up and in."""

    role: str
    id: str
    username: str
    actor: Actor
    access_token: str
    refresh_token: str
    keys: dict[str, Key] = field(default_factory=dict)
    """API keys by what is particular about them; none where the catalogue has no API keys."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row, and its public fields as an admin sees them, in JSON's types."""

    id: str
    key: UUID
    values: Mapping[str, Any]


@dataclass(slots=True)
class World:
    """The accounts by role, and rows by resource and by what they are called about as; `own` ones by role, too."""

    catalogue: Catalogue
    cursors: CursorCodec
    tokens: Tokens
    started: datetime
    accounts: dict[str, Account] = field(default_factory=dict)
    rows: dict[str, dict[str, Row]] = field(default_factory=dict)
    own: dict[tuple[str, str], Row] = field(default_factory=dict)
    unmade: list[str] = field(default_factory=list)
    """Resources of which there is no row, and why."""

    def row(self, resource: Resource[Any], target: str, role: str | None = None) -> Row | None:
        """A row to call about; `role` says whose `own` is."""
        if target == OWN:
            return self.own.get((resource.name, role or ""))
        return self.rows.get(resource.name, {}).get(target)

    def reference(self, prefix: str, place: str = SHARED) -> str | None:
        """The identifier that a reference to a row of the shared or of the foreign workspace holds."""
        resource = self.catalogue.by_prefix.get(prefix)
        rows = self.rows.get(resource.name, {}) if resource is not None else {}
        found = rows.get(EDITORS, rows.get(SHARED)) if place == SHARED else rows.get(FOREIGN)
        return found.id if found is not None else None

    def token(self, role: str, scopes: frozenset[str]) -> tuple[str, Actor]:
        """An access token of the role's session with these scopes, and who that is."""
        account = self.accounts[role]
        if scopes == account.actor.scopes:
            return account.access_token, account.actor
        actor = replace(account.actor, scopes=scopes)
        assert actor.user_id is not None
        assert actor.session_id is not None
        issued = self.tokens.issue(
            "access", user_id=actor.user_id, session_id=actor.session_id, now=self.started, scopes=scopes
        )
        return issued, actor
