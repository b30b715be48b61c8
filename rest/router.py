"""The REST face: one route per path, which parses, finds the actor, calls one operation and shapes the answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import groupby
from typing import Any
from uuid import UUID

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from rest import oauth2
from rest.deprecation import watched
from rest.files.forms import RECEIVERS, is_form
from rest.fixed_paths import FixedPaths
from rest.http.conditional import JSON, expected_of, representation
from rest.http.idempotency import answer_again, idempotency_of
from rest.http.negotiation import Preference, media_type, negotiated
from rest.http.problems import problem_response
from rest.links import page_links
from rest.paying import payment_of, priced
from rest.query import parameters, refuse_unknown
from rest.reading import NIL, Parsed, Queries, shown_of
from rest.routes import RestRoute, query_of, rest_routes
from rest.searching import ACCEPT_QUERY, check_media_type
from rest.writing import written
from services.catalogue import Actor, Catalogue, Client, Kind, Operation, Problem
from services.catalogue.models import parse_value
from services.catalogue.problems import UNSUPPORTED_MEDIA_TYPE
from services.engine.authorization import Admitted
from services.engine.gateway import Gateway
from services.engine.idempotency.once import StoredOrNewAnswer
from services.engine.payment import OverdrawnError, Payment, PricedError
from services.engine.writes import Write
from services.identity.auth.authentication import Authenticator, Credentials
from services.process.concurrency import Concurrency
from services.queries.limits import DEFAULTS, Limits, check_values

Endpoint = Callable[[Request], Awaitable[Response]]

_MERGE_PATCH = "application/merge-patch+json"


class RestRouter:
    """Every operation of the catalogue at its path below the prefix.

    `routes` are the framework's; one serves all methods of a path, so that `Allow` of a 405 is complete. `direct` has
    the same once more, by method and path, as applications that need no framework. `accepts` are the header fields that
    say which bodies a path takes.
    """

    def __init__(self, catalogue: Catalogue, prefix: str, limits: Limits = DEFAULTS) -> None:
        self.routes: list[BaseRoute] = []
        self.direct: dict[tuple[str, str], ASGIApp] = {}
        self.accepts: dict[str, dict[str, str]] = {}
        self._shared: dict[int, Queries] = {}
        self._limits = limits
        ordered = sorted(rest_routes(catalogue), key=lambda route: ("{id}" in route.path, route.path))
        found: list[Route] = []
        for path, routes in groupby(ordered, key=lambda route: route.path):
            here = list(routes)
            endpoints = {route.method: _endpoint(route, prefix, self._queries(route)) for route in here}
            if "GET" in endpoints:
                endpoints["HEAD"] = endpoints["GET"]  # the body is the server's to leave out
            found.append(Route(prefix + path, _dispatch(endpoints), methods=list(endpoints)))
            queries = {
                each.method: _endpoint(each, prefix, self._queries(each)) for route in here if (each := query_of(route))
            }
            # On their own, so that a 405 names the methods that are declared.
            found += [Route(prefix + path, each, methods=[method]) for method, each in queries.items()]
            self.direct |= {
                (method, prefix + path): _application(each) for method, each in (endpoints | queries).items()
            }
            self.accepts[prefix + path] = _accepts(here)
        fixed = FixedPaths(found)
        self.routes += [fixed, *found]
        self.direct |= fixed.direct

    def _queries(self, route: RestRoute) -> Queries | None:
        """What remembers the queries of a route: one for a list and its searches, which ask the same."""
        if route.resource is None:
            return None
        return self._shared.setdefault(id(route.relation or route.operation), Queries(route, self._limits))


def _dispatch(endpoints: Mapping[str, Endpoint]) -> Endpoint:
    async def dispatch(request: Request) -> Response:
        return await endpoints[request.method](request)

    return dispatch


def _application(endpoint: Endpoint) -> ASGIApp:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await endpoint(Request(scope, receive))
        except Problem as problem:
            response = problem_response(problem)
        await response(scope, receive, send)

    return application


def _endpoint(route: RestRoute, prefix: str, queries: Queries | None) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        preference = negotiated(request.scope["headers"])
        gateway: Gateway = request.app.state.gateway
        actor, admitted = await _admitted(route, request, gateway)
        payment = payment_of(request, gateway, actor)
        try:
            with gateway.part(Concurrency).slot(actor, request.client.host if request.client else ""):
                if admitted is not None:
                    return await _write(route, queries, request, gateway, admitted, payment, prefix, preference)
                assert queries is not None
                return await _read(route, queries, request, gateway, actor, payment)
        except PricedError as found:
            return priced(found.payment)
        except OverdrawnError as error:
            raise error.problem from None

    return watched(route, endpoint)


async def _admitted(route: RestRoute, request: Request, gateway: Gateway) -> tuple[Actor, Admitted | None]:
    """The actor of a request, who may call the route; to write, they are admitted.

    Raises `invalid_token`, `unauthenticated` and `insufficient_scope`.
    """
    operation = route.operation
    actor = await gateway.part(Authenticator).actor_for([operation] if operation else [], _presented(request))
    if operation is not None and not operation.is_read:
        return actor, await gateway.admit(operation, actor, _client(request))
    asked = route.relation or operation
    assert asked is not None
    gateway.allow(asked, actor)
    return actor, None


async def _read(
    route: RestRoute, queries: Queries, request: Request, gateway: Gateway, actor: Actor, payment: Payment | None
) -> Response:
    asked = await _asked(route, queries, request)
    inputs = asked.inputs(_key(route, request))
    expected = expected_of(request.scope["headers"])
    shown = shown_of(route, await gateway.read(asked.query, inputs, actor, payment))
    headers = page_links(request, asked.arguments, shown) if asked.arguments is not None else {}
    content = orjson.dumps(shown.body)
    if route.method == "POST":  # which asks, but is no way to what could be linked to or kept
        return Response(content, 200, None, JSON)
    if route.is_search:
        return representation(content, {"Accept-Query": ACCEPT_QUERY}, expected)
    if route.is_list:
        headers["Accept-Query"] = ACCEPT_QUERY
    return representation(content, headers, expected)


async def _asked(route: RestRoute, queries: Queries, request: Request) -> Parsed:
    """What is to be read: as the query string says, or the body of a search."""
    query_string = request.scope["query_string"]
    if not route.is_search:
        return queries.parse(query_string)
    refuse_unknown(parameters(query_string))
    body = await request.body()
    check_values(body, request.app.state.gateway.limits)
    if body or route.method == "QUERY":  # which is nothing without its content (RFC 10008, section 2)
        check_media_type(request.headers.get("content-type", ""), f"accept_{route.method.lower()}")
    return queries.search(body)


async def _write(
    route: RestRoute, queries: Queries | None, request: Request, gateway: Gateway, admitted: Admitted,
    payment: Payment | None, prefix: str, preference: Preference | None,
) -> Response:  # fmt: skip
    operation = admitted.operation
    receive = RECEIVERS.get(operation.name)
    if receive is not None and is_form(request.headers.get("content-type", "")):
        return await receive(request, gateway, admitted, prefix, payment)
    query_string = request.scope["query_string"]
    if queries is None:
        refuse_unknown(parameters(query_string, gateway.limits))
    asked = queries.parse(query_string) if queries is not None else None
    expected = expected_of(request.scope["headers"])
    key, data = _key(route, request) or NIL, await _body(operation, request, gateway.limits)

    def shaped(result: Any) -> Response:
        return written(route, request, prefix, result, preference)

    once = idempotency_of(request, shaped, preference)
    query, included = (asked.query, asked.included) if asked is not None else (None, ())
    result = await gateway.write(admitted, Write(key, data, query, included, expected, once), payment)
    return answer_again(result) if isinstance(result, StoredOrNewAnswer) else shaped(result)


def _presented(request: Request) -> Credentials:
    """What the request says of its caller."""
    return Credentials.of(request.scope["headers"], request.client.host if request.client else "")


def _client(request: Request) -> Client:
    """The program on the other side."""
    return Client(request.client.host if request.client else "", request.headers.get("user-agent", ""))


async def _body(operation: Operation, request: Request, limits: Limits) -> bytes | None:
    """The JSON body; an absent one counts as an empty object. Raises `unsupported_media_type` and `bad_request`."""
    if operation.kind is Kind.DELETE:
        return None
    kind = media_type(request.headers.get("content-type", ""))
    if operation.name in oauth2.BY_FORM and kind == oauth2.FORM:
        return await oauth2.form_as_json(request, operation.name)
    body = await request.body()
    accepted = (JSON, _MERGE_PATCH) if operation.kind is Kind.UPDATE else (JSON,)  # a form has been read already
    check_values(body, limits)
    if body and kind not in accepted:
        member = "accept_patch" if operation.kind is Kind.UPDATE else "accept_post"
        members: dict[str, Any] = {member: ", ".join(_media_types(operation))}
        raise Problem(UNSUPPORTED_MEDIA_TYPE, f"The body must be {' or '.join(accepted)}.", **members)
    return body


def _media_types(operation: Operation) -> list[str]:
    """What a body may be."""
    if operation.kind is Kind.UPDATE:
        return [JSON, _MERGE_PATCH]
    return [JSON, *([oauth2.FORM] if operation.name in oauth2.BY_FORM else [])]


def _accepts(routes: Sequence[RestRoute]) -> dict[str, str]:
    """`Accept-Patch` (RFC 5789), `Accept-Post` (W3C's Linked Data Platform), `Accept-Query` (RFC 10008)."""
    found = {}
    for route in routes:
        if route.is_list:
            found["Accept-Post" if route.is_search else "Accept-Query"] = ACCEPT_QUERY
        elif route.method in ("POST", "PATCH") and route.operation is not None:
            found[f"Accept-{route.method.capitalize()}"] = ", ".join(_media_types(route.operation))
    return found


def _key(route: RestRoute, request: Request) -> UUID | None:
    """The key in the path, if there is one. Raises `validation_failed` naming `id`."""
    if "id" not in request.path_params:
        return None
    key: UUID = parse_value(route.source.adapter("id"), request.path_params["id"], ("id",))
    return key
