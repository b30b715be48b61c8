"""GraphQL requests and responses, independent of the transport."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from graphql_schema.schema.context import RequestKey
from services.catalogue import Client
from services.engine.gateway import Gateway
from services.engine.payment import Payment
from services.identity.auth.authentication import Credentials


class RequestContext(Protocol):
    """The context of a request, independent of its transport.

    `changing` is set once the request may have changed something, and must not be cancelled any more; `payment`
    once the caller whose budget pays for it is known.
    """

    changing: bool
    payment: Payment | None

    @property
    def address(self) -> str: ...

    @property
    def headers(self) -> Mapping[bytes, bytes]:
        """The header fields; empty if the transport has none."""

    @property
    def is_preflighted(self) -> bool:
        """Whether a browser would have sent a CORS preflight first (origins.py)."""

    @property
    def idempotency_key(self) -> RequestKey | None:
        """The request's idempotency key. Raises `bad_request` if it is malformed."""

    @property
    def gateway(self) -> Gateway: ...

    @property
    def presented(self) -> Credentials: ...

    @property
    def client(self) -> Client: ...

    @property
    def is_post(self) -> bool:
        """Whether the request may change something."""


@dataclass(slots=True)
class GraphQLRequest:
    """The parameters of a request (GraphQL over HTTP). `query` is empty if only `reference` names the document."""

    query: str
    variables: Mapping[str, Any]
    operation_name: str | None
    extensions: Mapping[str, Any] = field(default_factory=dict)
    reference: str | None = None
    wants_cost: bool = False
    """Whether the response includes the operation's cost."""
    dry: bool = False
    """Whether to compute the cost only, and run nothing."""
    whole: bool = False
    """Whether an error in any field replaces the whole response."""
    has_file: bool = False
    """Whether the request came as a form, with a file among its variables."""


@dataclass(slots=True)
class GraphQLResponse:
    """A response. `content` is a list for a batch; `typed` says whether to send application/graphql-response+json."""

    content: Mapping[str, Any] | Sequence[Mapping[str, Any]]
    typed: bool
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)


def exceeds_depth(value: Any, limit: int) -> bool:
    """Whether lists and objects are nested more than `limit` levels deep."""
    level = [value]
    for _ in range(limit + 1):
        level = [
            member
            for container in level
            if isinstance(container, (dict, list))
            for member in (container.values() if isinstance(container, dict) else container)
        ]
        if not level:
            return False
    return True
