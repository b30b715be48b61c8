"""Who is calling, and with what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Actor:
    """The caller of an operation; anonymous is an actor too.

    `scopes` are what the credentials may do; what the user may do is the policies' business. An admin passes every
    policy. Who calls with a token has a session, who calls with an API key has none; a key that is bound to a workspace
    reaches nothing outside of it.
    """

    user_id: UUID | None = None
    session_id: UUID | None = None
    scopes: frozenset[str] = frozenset()
    is_admin: bool = False
    key_id: UUID | None = None
    workspace_id: UUID | None = None
    """The workspace that the credential is bound to, if it is bound to one."""
    budget: int | None = None
    """Points a minute that the credential has of its own, within its user's, if it has."""

    @property
    def is_anonymous(self) -> bool:
        """Whether nobody is signed in."""
        return self.user_id is None

    def parameters(self) -> dict[str, Any]:
        """The bind parameters that every policy may use."""
        return {
            "actor_id": self.user_id, "actor_session_id": self.session_id, "actor_workspace_id": self.workspace_id,
        }  # fmt: skip

    def __str__(self) -> str:
        if self.user_id is None:
            return "operator" if self.is_admin else "anonymous"
        return f"usr_{self.user_id.hex}" if self.key_id is None else f"usr_{self.user_id.hex}:key_{self.key_id.hex}"


ANONYMOUS = Actor()
OPERATOR = Actor(is_admin=True)
"""Whoever runs the gateway, at its command line: nobody's user, and passes every policy. No credentials make one."""


@dataclass(frozen=True, slots=True)
class Client:
    """The program on the other side of the wire: its network address and how it calls itself."""

    address: str = ""
    agent: str = ""
