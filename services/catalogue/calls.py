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
    """What becomes known of a call on its way, for the audit.

    The gateway notes the row and `as_admin`, which is whether an ordinary user in the actor's place would have been
    refused. An operation says what cannot be seen from outside: the `row` it is about where neither the caller names
    it nor the result is it; the names of fields it has `changed` past the row; the account that is `claimed` by
    somebody of whom it is not known yet whether it is theirs; that the call only `repeated` what was done and recorded
    before.
    """

    row: Any = None
    changed: tuple[str, ...] | None = None
    claimed: UUID | None = None
    as_admin: bool = False
    repeated: bool = False


@dataclass(slots=True)
class Call:
    """What every operation's function receives first: actor, unit of work (`session`), clock (`now`, UTC), client.

    Functions add and change objects in the session; the commit is not theirs. What must happen once the change is
    committed goes to `after_commit`.
    """

    actor: Actor
    session: AsyncSession
    now: datetime
    parts: Mapping[type, Any]
    client: Client = field(default_factory=Client)
    after_commit: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    shown_by: int = 0
    """How many statements have read the result."""
    followed_by: int = 0
    """How many have found and changed what hung on deleted rows."""
    trace: Trace = field(default_factory=Trace)

    def part(self, kind: type[Part]) -> Part:
        """A long-lived part of the process by its type (password hashing, tokens…)."""
        found = self.parts[kind]
        assert isinstance(found, kind)
        return found

    @property
    def user_id(self) -> UUID:
        """The signed-in user's key. Raises `unauthenticated`."""
        if self.actor.user_id is None:
            raise Problem(UNAUTHENTICATED)
        return self.actor.user_id
