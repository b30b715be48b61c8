"""GraphQL over HTTP: what comes in and goes out, below any framework, since this is on the way of every request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from graphql_schema.documents.references import NAMES, reference_of
from graphql_schema.documents.requests import Answer, GraphQLRequest, is_deep
from graphql_schema.schema.context import RequestKey
from graphql_schema.transport.negotiation import Form, check_media_type
from graphql_schema.transport.origins import is_preflighted
from services.catalogue import Client, Problem
from services.catalogue.json_input import Path, read_json
from services.catalogue.problems import BAD_REQUEST, PAYLOAD_TOO_LARGE, TOO_COMPLEX
from services.engine.gateway import Gateway
from services.engine.idempotency.keys import key_of_headers
from services.engine.payment import DRY_RUN, Till, is_dry_run
from services.identity.auth.authentication import Presented
from services.queries.limits import Limits, check_query_string, check_values

RawHeaders = list[tuple[bytes, bytes]]


@dataclass(slots=True)
class Asking:
    """A request but for its body: the ASGI scope, and its header fields."""

    scope: Scope
    headers: Mapping[bytes, bytes]
    changing: bool = False
    """Whether something may be changed from now on, so that it must not be broken off."""
    place: int | None = None
    """In a batch."""
    batch: bytes = b""
    """What stands for all that the batch asks, where it has an idempotency key."""
    till: Till | None = None
    """Where it pays, once it is known who does."""

    @classmethod
    def of(cls, scope: Scope) -> Asking:
        """What an HTTP request asks. The first of several fields of one name counts, save for lists."""
        headers = dict(reversed(scope["headers"]))
        if len(headers) != len(scope["headers"]):
            lists = b",".join(value for name, value in scope["headers"] if name == b"accept")
            headers |= {b"accept": lists} if lists else {}
        return cls(scope, headers)

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
    def is_preflighted(self) -> bool:
        """Whether a browser would have asked for leave before it sent this."""
        return is_preflighted(self.headers)

    @property
    def idempotency_key(self) -> RequestKey | None:
        """The header's; a socket's is none of its operations'. Raises `bad_request` naming it."""
        if self.scope["type"] == "websocket":
            return None
        key = key_of_headers(self.scope["headers"])
        return RequestKey(key, self.place, self.batch) if key is not None else None

    @property
    def address(self) -> str:
        """The network address that it comes from."""
        address = self.scope.get("client")
        return address[0] if address else ""

    @property
    def presented(self) -> Presented:
        """What the request says of its caller."""
        return Presented.of(self.scope["headers"], self.address)

    @property
    def client(self) -> Client:
        """The program on the other side."""
        return Client(self.address, self.headers.get(b"user-agent", b"").decode("latin-1"))


_PLAIN: Final = f"{Form.PLAIN.value}; charset=utf-8".encode()
_TYPED: Final = f"{Form.TYPED.value}; charset=utf-8".encode()
_PARAMETERS: Final = ("query", "operationName", "variables", "extensions")
_NO_QUERY: Final = "`query` must be a GraphQL document."

Batch = Sequence[GraphQLRequest | Problem]
"""Several requests in one; in the place of one that cannot be read is what is wrong with it."""


class MalformedRequestError(Problem):
    """Parameters that are not of the types that GraphQL's protocols give them."""

    def __init__(self, detail: str) -> None:
        super().__init__(BAD_REQUEST, detail)


def encoded(answer: Answer) -> tuple[RawHeaders, bytes]:
    """Header fields and body of a response."""
    body = orjson.dumps(answer.content)
    headers = [
        (b"content-type", _TYPED if answer.typed else _PLAIN),
        (b"content-length", str(len(body)).encode()),
        (b"vary", b"Accept"),
    ]
    if answer.headers:
        headers += [(name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers.items()]
    return headers, body


async def read_request(asking: Asking, receive: Receive, *, batch: int = 0) -> GraphQLRequest | Batch:
    """The parameters of a request; `batch` is how many may come in one.

    Raises `bad_request`, `unsupported_media_type`, `payload_too_large`, `too_complex` for a batch that is too long, and
    of an address `uri_too_long` and `too_complex`.
    """
    asked = await _read_parameters(asking, receive, batch)
    if is_dry_run(asking.headers.get(DRY_RUN)):
        for each in [asked] if isinstance(asked, GraphQLRequest) else asked:
            if isinstance(each, GraphQLRequest):
                each.dry = True
    return asked


async def _read_parameters(asking: Asking, receive: Receive, batch: int) -> GraphQLRequest | Batch:
    limits = asking.gateway.limits
    if not asking.is_post:
        return _of_query_string(asking.scope["query_string"], limits)
    check_media_type(asking.headers.get(b"content-type", b""))
    body = await _body(receive)
    found = json_of("The body", body, limits)
    if isinstance(found, list):
        return _batch(found, batch, len(body), limits)
    return parameters_of(found, len(body), limits)


def _batch(found: Sequence[Any], most: int, size: int, limits: Limits) -> Batch:
    if not most:
        raise Problem(BAD_REQUEST, "The body must be a JSON object: batches are switched off.")
    if not found:
        raise Problem(BAD_REQUEST, "A batch must hold a request.")
    if len(found) > most:
        raise Problem(TOO_COMPLEX, f"A batch may hold at most {most} requests.")
    read: list[GraphQLRequest | Problem] = []
    for each in found:
        try:
            read.append(parameters_of(each, size, limits))
        except Problem as problem:
            read.append(problem)
    return read


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
    given: dict[str, str] = {}
    for name, value in parse_qsl(query_string.decode("latin-1"), keep_blank_values=True):
        if name in given and (name in _PARAMETERS or name in NAMES):
            raise Problem(BAD_REQUEST, f"The parameter `{name}` is given twice.")
        given[name] = value
    variables, extensions = given.get("variables"), given.get("extensions")
    return parameters_of({
        "query": given.get("query"),
        "operationName": given.get("operationName"),
        "variables": json_of("`variables`", variables.encode(), limits, ("variables",)) if variables else None,
        "extensions": json_of("`extensions`", extensions.encode(), limits, ("extensions",)) if extensions else None,
        **{name: given[name] for name in NAMES if name in given},
    }, len(query_string), limits)  # fmt: skip


def json_of(what: str, text: bytes, limits: Limits, at: Path = ()) -> Any:
    """As `read_json`, of a text that `check_values` has nothing against. Raises `bad_request`."""
    check_values(text, limits, what)
    return read_json(text, what, at)


def parameters_of(found: Any, size: int, limits: Limits) -> GraphQLRequest:
    """A request from its parameters as they came, whatever they came by, in so many bytes.

    Raises MalformedRequestError (`bad_request`), other `bad_request` and `payload_too_large`, and as `reference_of`.
    """
    if not isinstance(found, dict):
        raise MalformedRequestError("A request must be a JSON object.")
    query, variables, name = found.get("query"), found.get("variables"), found.get("operationName")
    extensions = found.get("extensions")
    if not isinstance(variables, (dict, type(None))):
        raise MalformedRequestError("`variables` must be an object.")
    if not isinstance(name, (str, type(None))):
        raise MalformedRequestError("`operationName` must be a string.")
    if not isinstance(extensions, (dict, type(None))):
        raise MalformedRequestError("`extensions` must be an object.")
    if not isinstance(query, (str, type(None))):
        raise MalformedRequestError(_NO_QUERY)
    reference = reference_of(found)
    if not query and reference is None:
        raise MalformedRequestError(_NO_QUERY)
    if variables:
        most = limits.variables_bytes
        if is_deep(variables, limits.variables_depth):
            raise Problem(BAD_REQUEST, f"`variables` may nest at most {limits.variables_depth} deep.")
        if size > most and len(orjson.dumps(variables)) > most:
            raise Problem(PAYLOAD_TOO_LARGE, f"`variables` may have at most {most:,} bytes.")
    wants_cost = extensions is not None and extensions.get("cost") is True
    return GraphQLRequest(query or "", variables or {}, name or None, extensions or {}, reference, wants_cost)
