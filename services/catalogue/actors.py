"""The caller of an operation and its client."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Actor:
    """The caller of an operation, which may be anonymous.

    `scopes` limit what the credentials may do; policies decide what the user may do. An admin passes every policy. An
    actor authenticated by an access token has a session; one authenticated by an API key has none. A key bound to a
    workspace reaches nothing outside of it.
    """

    user_id: UUID | None = None
    session_id: UUID | None = None
    scopes: frozenset[str] = frozenset()
    is_admin: bool = False
    key_id: UUID | None = None
    workspace_id: UUID | None = None
    budget: int | None = None
    """The credential's own budget in points a minute, within its user's budget; None if it has none."""

    @property
    def is_anonymous(self) -> bool:
        return self.user_id is None

    def parameters(self) -> dict[str, Any]:
        """Return the bind parameters that every policy may use."""
        return {
            "actor_id": self.user_id, "actor_session_id": self.session_id, "actor_workspace_id": self.workspace_id,
        }  # fmt: skip

    def __str__(self) -> str:
        if self.user_id is None:
            return "operator" if self.is_admin else "anonymous"
        return f"usr_{self.user_id.hex}" if self.key_id is None else f"usr_{self.user_id.hex}:key_{self.key_id.hex}"


ANONYMOUS = Actor()
OPERATOR = Actor(is_admin=True)
"""The actor of the gateway's command line: no user, but passes every policy. No credentials give it."""


@dataclass(frozen=True, slots=True)
class Client:
    """The client program: its network address and its user agent."""

    address: str = ""
    agent: str = ""
