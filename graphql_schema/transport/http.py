"""Reads requests and encodes responses of GraphQL over HTTP, on bare ASGI, because every request passes through it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from graphql_schema.documents.references import NAMES, parse_reference
from graphql_schema.documents.requests import GraphQLRequest, GraphQLResponse, exceeds_depth
from graphql_schema.schema.context import RequestKey
from graphql_schema.transport.negotiation import Form, check_media_type
from graphql_schema.transport.origins import is_preflighted
from services.catalogue import Client, Problem
from services.catalogue.json_input import Path, read_json
from services.catalogue.problems import BAD_REQUEST, PAYLOAD_TOO_LARGE, TOO_COMPLEX
from services.engine.gateway import Gateway
from services.engine.idempotency.keys import key_of_headers
from services.engine.payment import DRY_RUN, Payment, is_dry_run
from services.identity.auth.authentication import Credentials
from services.queries.limits import Limits, check_query_string, check_values


@dataclass(slots=True)
class HTTPRequestContext:
    """A request without its body: its ASGI scope and header fields. Implements `Origin`."""

    scope: Scope
    headers: Mapping[bytes, bytes]
    changing: bool = False
    """Whether the request may have changed something, so that it must not be cancelled."""
    place: int | None = None
    """The index in a batch."""
    batch: bytes = b""
    """A digest of the whole batch, if it has an idempotency key."""
    payment: Payment | None = None
    """The till that the request is charged to, once its caller is known."""

    @classmethod
    def of(cls, scope: Scope) -> HTTPRequestContext:
        """Create the request of an HTTP scope. The first of several fields of one name counts; `Accept` is joined."""
        headers = dict(reversed(scope["headers"]))
        if len(headers) != len(scope["headers"]):
            accept = b",".join(value for name, value in scope["headers"] if name == b"accept")
            headers |= {b"accept": accept} if accept else {}
        return cls(scope, headers)

    @property
    def gateway(self) -> Gateway:
        gateway: Gateway = self.scope["app"].state.gateway
        return gateway

    @property
    def is_post(self) -> bool:
        return bool(self.scope["method"] == "POST")

    @property
    def is_preflighted(self) -> bool:
        return is_preflighted(self.headers)

    @property
    def idempotency_key(self) -> RequestKey | None:
        """The key in the header fields; None for operations of a WebSocket. Raises `bad_request` naming the field."""
        if self.scope["type"] == "websocket":
            return None
        key = key_of_headers(self.scope["headers"])
        return RequestKey(key, self.place, self.batch) if key is not None else None

    @property
    def address(self) -> str:
        address = self.scope.get("client")
        return address[0] if address else ""

    @property
    def presented(self) -> Credentials:
        return Credentials.of(self.scope["headers"], self.address)

    @property
    def client(self) -> Client:
        return Client(self.address, self.headers.get(b"user-agent", b"").decode("latin-1"))


_PLAIN: Final = f"{Form.PLAIN.value}; charset=utf-8".encode()
_TYPED: Final = f"{Form.TYPED.value}; charset=utf-8".encode()
_PARAMETERS: Final = ("query", "operationName", "variables", "extensions")
_NO_QUERY: Final = "`query` must be a GraphQL document."

Batch = Sequence[GraphQLRequest | Problem]
"""The requests of one body, with a Problem in the place of each that cannot be read."""


class MalformedRequestError(Problem):
    """The `bad_request` of parameters whose types are not those of GraphQL's protocols."""

    def __init__(self, detail: str) -> None:
        super().__init__(BAD_REQUEST, detail)


def encode_response(answer: GraphQLResponse) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Return the header fields and the body of a response."""
    body = orjson.dumps(answer.content)
    headers = [
        (b"content-type", _TYPED if answer.typed else _PLAIN),
        (b"content-length", str(len(body)).encode()),
        (b"vary", b"Accept"),
    ]
    headers += [(name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers.items()]
    return headers, body


async def read_request(
    request_context: HTTPRequestContext, receive: Receive, *, batch: int = 0
) -> GraphQLRequest | Batch:
    """Read the parameters of a request. `batch` is the most requests of one body; 0 refuses batches.

    Raises `bad_request`, `unsupported_media_type`, `payload_too_large`, `too_complex` for a batch that is too long, and
    `uri_too_long` and `too_complex` for a query string.
    """
    request = await _read_parameters(request_context, receive, batch)
    if is_dry_run(request_context.headers.get(DRY_RUN)):
        for entry in [request] if isinstance(request, GraphQLRequest) else request:
            if isinstance(entry, GraphQLRequest):
                entry.dry = True
    return request


async def _read_parameters(
    request_context: HTTPRequestContext, receive: Receive, max_requests: int
) -> GraphQLRequest | Batch:
    limits = request_context.gateway.limits
    if not request_context.is_post:
        return _of_query_string(request_context.scope["query_string"], limits)
    check_media_type(request_context.headers.get(b"content-type", b""))
    body = await _body(receive)
    parameters = parse_json("The body", body, limits)
    if isinstance(parameters, list):
        return _batch(parameters, max_requests, len(body), limits)
    return parse_parameters(parameters, len(body), limits)


def _batch(entries: Sequence[Any], max_requests: int, size: int, limits: Limits) -> Batch:
    if not max_requests:
        raise Problem(BAD_REQUEST, "The body must be a JSON object: batches are switched off.")
    if not entries:
        raise Problem(BAD_REQUEST, "A batch must hold a request.")
    if len(entries) > max_requests:
        raise Problem(TOO_COMPLEX, f"A batch may hold at most {max_requests} requests.")
    requests: list[GraphQLRequest | Problem] = []
    for entry in entries:
        try:
            requests.append(parse_parameters(entry, size, limits))
        except Problem as problem:
            requests.append(problem)
    return requests


async def _body(receive: Receive) -> bytes:
    chunks: list[bytes] = []
    while (message := await receive())["type"] == "http.request":
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(chunks)
    raise ClientDisconnect


def _of_query_string(query_string: bytes, limits: Limits) -> GraphQLRequest:
    check_query_string(query_string, limits)
    texts: dict[str, str] = {}
    for name, value in parse_qsl(query_string.decode("latin-1"), keep_blank_values=True):
        if name in texts and (name in _PARAMETERS or name in NAMES):
            raise Problem(BAD_REQUEST, f"The parameter `{name}` is given twice.")
        texts[name] = value
    parameters: dict[str, Any] = {name: texts[name] for name in ("query", "operationName", *NAMES) if name in texts}
    for name in ("variables", "extensions"):
        if texts.get(name):
            parameters[name] = parse_json(f"`{name}`", texts[name].encode(), limits, (name,))
    return parse_parameters(parameters, len(query_string), limits)


def parse_json(what: str, text: bytes, limits: Limits, at: Path = ()) -> Any:
    """Return the value of a JSON text, as `read_json` does, after `check_values`. Raises `bad_request`."""
    check_values(text, limits, what)
    return read_json(text, what, at)


def parse_parameters(parameters: Any, size: int, limits: Limits) -> GraphQLRequest:
    """Validate the parameters of a request. `size` is the number of bytes that they were read from.

    Raises MalformedRequestError (`bad_request`), other `bad_request` and `payload_too_large`, and as `parse_reference`.
    """
    if not isinstance(parameters, dict):
        raise MalformedRequestError("A request must be a JSON object.")
    query, variables, name = parameters.get("query"), parameters.get("variables"), parameters.get("operationName")
    extensions = parameters.get("extensions")
    if not isinstance(variables, (dict, type(None))):
        raise MalformedRequestError("`variables` must be an object.")
    if not isinstance(name, (str, type(None))):
        raise MalformedRequestError("`operationName` must be a string.")
    if not isinstance(extensions, (dict, type(None))):
        raise MalformedRequestError("`extensions` must be an object.")
    if not isinstance(query, (str, type(None))):
        raise MalformedRequestError(_NO_QUERY)
    reference = parse_reference(parameters)
    if not query and reference is None:
        raise MalformedRequestError(_NO_QUERY)
    if variables:
        max_bytes = limits.GRAPHQL_MAX_VARIABLES_BYTES
        if exceeds_depth(variables, limits.GRAPHQL_MAX_VARIABLES_DEPTH):
            raise Problem(BAD_REQUEST, f"`variables` may nest at most {limits.GRAPHQL_MAX_VARIABLES_DEPTH} deep.")
        if size > max_bytes and len(orjson.dumps(variables)) > max_bytes:
            raise Problem(PAYLOAD_TOO_LARGE, f"`variables` may have at most {max_bytes:,} bytes.")
    wants_cost = extensions is not None and extensions.get("cost") is True
    return GraphQLRequest(query or "", variables or {}, name or None, extensions or {}, reference, wants_cost)
