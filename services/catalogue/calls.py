"""One invocation of an operation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.catalogue.actors import Actor, Client
from services.catalogue.problems import UNAUTHENTICATED, Problem

Part = TypeVar("Part")


@dataclass(slots=True)
class Trace:
    """Facts about a call that are collected for the audit.

    The gateway records the row and `as_admin`: whether the call was allowed only because the actor is an admin. An
    operation records what the gateway cannot see: `row`, if it is neither named by the caller nor the result;
    `changed`, the names of fields changed by other means than the row; `claimed`, the account named by a caller whose
    ownership is not verified yet; `repeated`, if the call only repeated a change that was audited before.
    """

    row: Any = None
    changed: tuple[str, ...] | None = None
    claimed: UUID | None = None
    as_admin: bool = False
    repeated: bool = False


class HasParts:
    """Base class of objects that give access to the long-lived components of the process."""

    __slots__ = ()
    parts: Mapping[type, Any]

    def part(self, kind: type[Part]) -> Part:
        """Return a component by its type (password hashing, tokens…)."""
        part: Part = self.parts[kind]
        return part


@dataclass(slots=True)
class Call(HasParts):
    """The first argument of every operation's function: actor, session, clock (`now`, UTC) and client.

    Functions add and change objects in `session`, the unit of work, and must not commit it. Callbacks in `after_commit`
    run once the transaction is committed.
    """

    actor: Actor
    session: AsyncSession
    now: datetime
    parts: Mapping[type, Any]
    client: Client = field(default_factory=Client)
    after_commit: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    shown_by: int = 0
    """The number of statements that read the result."""
    followed_by: int = 0
    """The number of statements that found and changed rows depending on deleted ones."""
    trace: Trace = field(default_factory=Trace)

    @property
    def user_id(self) -> UUID:
        """The signed-in user's key. Raises `unauthenticated`."""
        if self.actor.user_id is None:
            raise Problem(UNAUTHENTICATED)
        return self.actor.user_id
