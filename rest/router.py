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
from rest.files.forms import FILE_OPERATION, is_form, received_form
from rest.fixed_paths import FixedPaths
from rest.http.conditional import JSON, expected_of, representation
from rest.http.idempotency import answer_again, idempotency_of
from rest.http.negotiation import Preference, media_type, negotiated
from rest.http.problems import problem_response
from rest.links import page_links
from rest.paying import priced, till_of
from rest.query import parameters, refuse_rest
from rest.reading import KEY, Parsed, Queries
from rest.routes import RestRoute, query_of, rest_routes
from rest.searching import ACCEPT_QUERY, check_media_type
from rest.writing import written
from services.catalogue import Actor, Catalogue, Client, Kind, Operation, Problem
from services.catalogue.models import parse_value
from services.catalogue.problems import NOT_FOUND, UNSUPPORTED_MEDIA_TYPE
from services.engine import authorization
from services.engine.gateway import NIL, Gateway
from services.engine.idempotency.once import Answered
from services.engine.payment import OverdrawnError, PricedError, Till
from services.engine.writes import Write
from services.identity.auth.authentication import Authenticator, Presented
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
        actor = await _actor(route, request, gateway)
        till = till_of(route, request, gateway, actor)
        try:
            with gateway.part(Concurrency).slot(actor, request.client.host if request.client else ""):
                if route.operation is not None and not route.operation.is_read:
                    return await _write(route, queries, request, gateway, actor, till, prefix, preference)
                assert queries is not None
                return await _read(route, queries, request, gateway, actor, till)
        except PricedError as found:
            return priced(found.till)
        except OverdrawnError as error:
            raise error.problem from None

    return watched(route, endpoint)


async def _actor(route: RestRoute, request: Request, gateway: Gateway) -> Actor:
    """The actor of a request, who may call the route. Raises `invalid_token` and as `authorize`."""
    called = [route.operation] if route.operation is not None else []
    actor = await gateway.part(Authenticator).actor_for(called, _presented(request))
    if route.operation is not None and not route.operation.is_read:
        await gateway.admit(route.operation, actor, _client(request))
    elif route.operation is not None:
        authorization.authorize(route.operation, actor)
    if route.relation is not None:
        authorization.authorize_relation(route.relation, actor)
    return actor


async def _read(
    route: RestRoute, queries: Queries, request: Request, gateway: Gateway, actor: Actor, till: Till | None
) -> Response:
    query, inputs = await _asked(route, queries, request)
    if route.relation is not None or not route.is_list:
        inputs = (_key(route, request), *inputs)
    expected = expected_of(request.scope["headers"])
    found = (await gateway.read(query, inputs, actor, till))[KEY]
    if found is not None and route.relation is not None:
        found = found[KEY]
    if found is None:
        raise Problem(NOT_FOUND)
    headers = {}
    if route.is_list:
        headers = page_links(request, inputs[0] if route.relation is None else inputs[-1], found)
    if route.method == "POST":  # which asks, but is no way to what could be linked to or kept
        return Response(orjson.dumps(found), 200, None, JSON)
    if route.is_search:
        return representation(orjson.dumps(found), {"Accept-Query": ACCEPT_QUERY}, expected)
    if route.is_list:
        headers["Accept-Query"] = ACCEPT_QUERY
    return representation(orjson.dumps(found), headers, expected)


async def _asked(route: RestRoute, queries: Queries, request: Request) -> Parsed:
    """What is to be read: as the query string says, or the body of a search."""
    query_string = request.scope["query_string"]
    if not route.is_search:
        return queries.parse(query_string)
    refuse_rest(parameters(query_string))
    body = await request.body()
    check_values(body, request.app.state.gateway.limits)
    if body or route.method == "QUERY":  # which is nothing without its content (RFC 10008, section 2)
        check_media_type(request.headers.get("content-type", ""), f"accept_{route.method.lower()}")
    return queries.search(body)


async def _write(
    route: RestRoute, queries: Queries | None, request: Request, gateway: Gateway, actor: Actor, till: Till | None,
    prefix: str, preference: Preference | None,
) -> Response:  # fmt: skip
    operation = route.operation
    assert operation is not None
    if operation.name == FILE_OPERATION and is_form(request.headers.get("content-type", "")):
        return await received_form(request, gateway, actor, _client(request), prefix, till)
    query_string = request.scope["query_string"]
    if queries is None:
        refuse_rest(parameters(query_string, gateway.limits))
    query, inputs = queries.parse(query_string) if queries is not None else (None, ())
    expected = expected_of(request.scope["headers"])
    key, data = _key(route, request), await _body(operation, request, gateway.limits)

    def shaped(result: Any) -> Response:
        return written(route, request, prefix, result, preference)

    write = Write(key, data, query, inputs, expected, idempotency_of(request, shaped, preference))
    result = await gateway.write(operation, actor, write, _client(request), till)
    return answer_again(result) if isinstance(result, Answered) else shaped(result)


def _presented(request: Request) -> Presented:
    """What the request says of its caller."""
    return Presented.of(request.scope["headers"], request.client.host if request.client else "")


def _client(request: Request) -> Client:
    """The program on the other side."""
    return Client(request.client.host if request.client else "", request.headers.get("user-agent", ""))


async def _body(operation: Operation, request: Request, limits: Limits) -> bytes | None:
    """The JSON body; an absent one counts as an empty object. Raises `unsupported_media_type` and `bad_request`."""
    if operation.kind is Kind.DELETE:
        return None
    kind = media_type(request.headers.get("content-type", ""))
    if operation.name in oauth2.BY_FORM and kind == oauth2.FORM:
        return await oauth2.form_body(request, operation.name)
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


def _key(route: RestRoute, request: Request) -> UUID:
    """The key in the path, or none in particular. Raises `validation_failed` naming `id`."""
    if "id" not in request.path_params:
        return NIL
    resource = route.relation.source if route.relation is not None else route.operation and route.operation.resource
    assert resource
    key: UUID = parse_value(resource.adapter("id"), request.path_params["id"], ("id",))
    return key
