"""Requests and answers of GraphQL, whatever they come and go by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from graphql_schema.schema.context import RequestKey
from services.catalogue import Client
from services.documents.known import Reference
from services.engine.gateway import Gateway
from services.engine.payment import Till
from services.identity.auth.authentication import Presented


class Origin(Protocol):
    """Where a request comes from, whatever it came by. `changing`: whether it may change something from now on."""

    changing: bool
    till: Till | None

    @property
    def address(self) -> str:
        """The network address that it comes from."""

    @property
    def headers(self) -> Mapping[bytes, bytes]:
        """Its header fields, if it has any."""

    @property
    def is_preflighted(self) -> bool:
        """Whether a browser would have asked for leave before it sent this (origins.py)."""

    @property
    def idempotency_key(self) -> RequestKey | None:
        """The key that its writes are made once by. Raises `bad_request`."""

    @property
    def gateway(self) -> Gateway:
        """What is behind the face."""

    @property
    def presented(self) -> Presented:
        """What the request says of its caller."""

    @property
    def client(self) -> Client:
        """The program on the other side."""

    @property
    def is_post(self) -> bool:
        """Whether it may change something."""


@dataclass(slots=True)
class GraphQLRequest:
    """The parameters of a request (GraphQL over HTTP). `query` is empty where only a `reference` names the document."""

    query: str
    variables: Mapping[str, Any]
    operation_name: str | None
    extensions: Mapping[str, Any] = field(default_factory=dict)
    reference: Reference | None = None
    wants_cost: bool = False
    """Whether the answer shall tell its price."""
    dry: bool = False
    """Whether it shall tell the price only."""
    whole: bool = False
    """Whether anything that goes wrong anywhere is the whole answer."""
    has_file: bool = False
    """Whether it came in a form, with a file among its variables."""


@dataclass(slots=True)
class Answer:
    """A response; `typed`: as application/graphql-response+json. `content` are several for a batch."""

    content: Mapping[str, Any] | Sequence[Mapping[str, Any]]
    typed: bool
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)


def is_deep(value: Any, most: int) -> bool:
    """Whether lists and objects are nested more than so many deep."""
    level = [value]
    for _ in range(most + 1):
        level = [
            inner
            for each in level
            if isinstance(each, (dict, list))
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return False
    return True
