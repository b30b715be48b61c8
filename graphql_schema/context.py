"""What resolvers share during one operation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from graphql import DocumentNode
from strawberry.types import Info as StrawberryInfo

from graphql_schema.loaders import Loaders
from services.catalogue import Actor, Client
from services.execution import Gateway


@dataclass(slots=True)
class Context:
    """One per operation. It holds no session: each resolver or batch that reads, opens its own."""

    gateway: Gateway
    actor: Actor
    client: Client
    document: DocumentNode
    loaders: Loaders = field(init=False)

    def __post_init__(self) -> None:
        self.loaders = Loaders(self.gateway, self.actor)


Info = StrawberryInfo[Context, Any]
