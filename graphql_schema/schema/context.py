"""What resolvers share during one operation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from graphql import DocumentNode
from strawberry.types import Info as StrawberryInfo

from graphql_schema.schema.loaders import Loaders
from services.catalogue import Actor, Client
from services.engine.gateway import Gateway
from services.engine.idempotency.once import IdempotentRequest


@dataclass(frozen=True, slots=True)
class RequestKey:
    """The key in a request's header. `batch` stands for all that a batch asks, in which a document has a `place`."""

    text: str
    place: int | None = None
    batch: bytes = b""

    def whole(self, fields: Sequence[Any]) -> IdempotentRequest | None:
        """The request, whose document asks these fields in this order; None where it is one field, and no batch."""
        if self.place is not None:
            return IdempotentRequest(self.text, self.batch)
        if len(fields) < 2:
            return None
        return IdempotentRequest(
            self.text, b"graphql document " + orjson.dumps(fields, default=str, option=orjson.OPT_SORT_KEYS)
        )

    def of_field(self, name: str | None) -> str:
        """The key of a field, which nobody can send as one; `name` is its response name where there are several."""
        return "\n".join([self.text, *(str(each) for each in (self.place, name) if each is not None)])


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
