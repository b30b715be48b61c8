"""What resolvers share during one operation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from graphql import DocumentNode
from strawberry.types import Info as StrawberryInfo

from graphql_schema.idempotency import RequestKey
from graphql_schema.loaders import Loaders
from services.catalogue import Actor, Client
from services.execution import Gateway


@dataclass(slots=True)
class Context:
    """One per operation. It holds no session: each resolver or batch that reads, opens its own.

    `authenticate` finds the actor anew: a mutation may have ended the session that the next one relies on.
    """

    gateway: Gateway
    actor: Actor
    client: Client
    document: DocumentNode
    authenticate: Callable[[], Awaitable[Actor]]
    idempotency_key: RequestKey | None = None
    """The header's."""
    loaders: Loaders = field(init=False)
    _mutations: int = 0

    def __post_init__(self) -> None:
        self.loaders = Loaders(self.gateway, self.actor)

    async def next_mutation(self) -> None:
        """Before each mutation of a document: what was true before the last one may not be any more."""
        if self._mutations:
            self.actor = await self.authenticate()
            self.loaders = Loaders(self.gateway, self.actor)
        self._mutations += 1


Info = StrawberryInfo[Context, Any]
