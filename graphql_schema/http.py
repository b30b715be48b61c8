"""GraphQL over HTTP: what comes in and goes out, below any framework, since this is on the way of every request."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from services.auth.authentication import Presented
from services.catalogue import Actor, Client, Problem
from services.catalogue.limits import Limits, check_query_string, check_values
from services.catalogue.problems import BAD_REQUEST, PAYLOAD_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE
from services.concurrency import Concurrency
from services.execution import Gateway

JSON: Final = b"application/json"
GRAPHQL_JSON: Final = b"application/graphql-response+json"

RawHeaders = list[tuple[bytes, bytes]]


@dataclass(slots=True)
class Asking:
    """A request but for its body: the ASGI scope, and its header fields."""

    scope: Scope
    headers: Mapping[bytes, bytes]

    @property
    def gateway(self) -> Gateway:
        """What is behind the face."""
        found: Gateway = self.scope["app"].state.gateway
        return found

    @property
    def is_post(self) -> bool:
        """Whether the method is POST, the one that may change something."""
        return bool(self.scope["method"] == "POST")

    @property
    def presented(self) -> Presented:
        """What the request says of its caller."""
        address = self.scope.get("client")
        return Presented.of(self.scope["headers"], address[0] if address else "")

    def slot(self, actor: Actor) -> AbstractContextManager[None]:
        """Its place among the requests of one caller; entering it may raise `too_many_requests`."""
        address = self.scope.get("client")
        return self.gateway.part(Concurrency).slot(actor, address[0] if address else "")

    @property
    def client(self) -> Client:
        """The program on the other side."""
        address = self.scope.get("client")
        return Client(address[0] if address else "", self.headers.get(b"user-agent", b"").decode("latin-1"))


@dataclass(slots=True)
class GraphQLRequest:
    """The parameters of a request (GraphQL over HTTP)."""

    query: str
    variables: Mapping[str, Any]
    operation_name: str | None


@dataclass(slots=True)
class Answer:
    """A response; `typed`: as application/graphql-response+json."""

    content: Mapping[str, Any]
    typed: bool
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)

    def encoded(self) -> tuple[RawHeaders, bytes]:
        """Header fields and body."""
        body = orjson.dumps(self.content)
        headers = [
            (b"content-type", _TYPED if self.typed else _PLAIN),
            (b"content-length", str(len(body)).encode()),
        ]
        if self.headers:
            headers += [(name.lower().encode(), value.encode("latin-1")) for name, value in self.headers.items()]
        return headers, body


_PLAIN: Final = JSON + b"; charset=utf-8"
_TYPED: Final = GRAPHQL_JSON + b"; charset=utf-8"


async def read_request(asking: Asking, receive: Receive) -> GraphQLRequest:
    """The parameters of a request.

    Raises `bad_request`, `unsupported_media_type`, `payload_too_large`, and of an address `uri_too_long` and
    `too_complex`.
    """
    limits = asking.gateway.limits
    if not asking.is_post:
        return _of_query_string(asking.scope["query_string"], limits)
    media_type = asking.headers.get(b"content-type", b"")
    if media_type != JSON and media_type.partition(b";")[0].strip().lower() != JSON:
        raise Problem(UNSUPPORTED_MEDIA_TYPE, f"The body must be {JSON.decode()}.")
    body = await _body(receive)
    found = _json(body, limits)
    if not isinstance(found, dict):
        raise Problem(BAD_REQUEST, "The body must be a JSON object.")
    return _parameters(found, len(body), limits)


async def _body(receive: Receive) -> bytes:
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        whole: bytes = message.get("body", b"")
        return whole
    chunks = []
    while message["type"] == "http.request":
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(chunks)
        message = await receive()
    raise ClientDisconnect


def _of_query_string(query_string: bytes, limits: Limits) -> GraphQLRequest:
    check_query_string(query_string, limits)
    given = dict(parse_qsl(query_string.decode("latin-1"), keep_blank_values=True))
    variables = given.get("variables")
    return _parameters({
        "query": given.get("query"),
        "operationName": given.get("operationName"),
        "variables": _json(variables.encode(), limits) if variables else None,
    }, len(query_string), limits)  # fmt: skip


def _json(text: bytes, limits: Limits) -> Any:
    check_values(text, limits)
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Problem(BAD_REQUEST, "The body is not well-formed JSON in UTF-8.") from None


def _parameters(found: Mapping[str, Any], size: int, limits: Limits) -> GraphQLRequest:
    """`size`: bytes of what they were read from."""
    query, variables, name = found.get("query"), found.get("variables"), found.get("operationName")
    if not isinstance(query, str) or not query:
        raise Problem(BAD_REQUEST, "`query` must be a GraphQL document.")
    if not isinstance(variables, (dict, type(None))):
        raise Problem(BAD_REQUEST, "`variables` must be an object.")
    if variables:
        most = limits.variables_bytes
        if size > most and len(orjson.dumps(variables)) > most:
            raise Problem(PAYLOAD_TOO_LARGE, f"`variables` may have at most {most:,} bytes.")
        if _is_deep(variables, limits.variables_depth):
            raise Problem(BAD_REQUEST, f"`variables` may nest at most {limits.variables_depth} deep.")
    if not isinstance(name, (str, type(None))):
        raise Problem(BAD_REQUEST, "`operationName` must be a string.")
    return GraphQLRequest(query, variables or {}, name or None)


def _is_deep(value: Any, most: int) -> bool:
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
