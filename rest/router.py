"""The REST face: one route per path, which parses, finds the actor, calls one operation and shapes the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any
from uuid import UUID

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, compile_path
from starlette.types import ASGIApp

from rest import oauth2
from rest.deprecation import watched
from rest.files.forms import is_form, received_form
from rest.http.conditional import JSON, expected_of, representation
from rest.http.idempotency import answer_again, idempotency_of
from rest.http.negotiation import Preference, media_type, negotiated
from rest.http.problems import Endpoint, application_of
from rest.links import page_links
from rest.paying import payment_of, priced
from rest.query import parameters, refuse_unknown
from rest.reading import NIL, Parsed, Queries, shown_of
from rest.routes import RestRoute, query_of, rest_routes
from rest.searching import ACCEPT_QUERY
from rest.writing import written
from services.catalogue import Actor, Catalogue, Client, Kind, Operation, Problem
from services.catalogue.models import parse_value
from services.catalogue.problems import METHOD_NOT_ALLOWED, UNSUPPORTED_MEDIA_TYPE
from services.engine.authorization import Admitted
from services.engine.gateway import Gateway
from services.engine.idempotency.once import StoredOrNewAnswer
from services.engine.payment import OverdrawnError, Payment, PricedError
from services.engine.writes import Write
from services.files.uploading import CREATE
from services.identity.auth.authentication import Authenticator, Credentials
from services.process.concurrency import Concurrency
from services.queries.limits import DEFAULTS, Limits, check_values
from services.queries.selections import Input

_MERGE_PATCH = "application/merge-patch+json"


class RestRouter:
    """Every operation of the catalogue at its path below the prefix.

    `routes` are the framework's; one serves all methods of a path, so that `Allow` of a 405 is complete. `direct` has
    the same once more, by method and path, as applications that need no framework. `accepts` are the header fields that
    say which bodies a path takes.
    """

    def __init__(self, catalogue: Catalogue, prefix: str, limits: Limits = DEFAULTS) -> None:
        self.direct: dict[tuple[str, str], ASGIApp] = {}
        self.accepts: dict[str, dict[str, str]] = {}
        self._shared: dict[int, Queries] = {}
        self._prefix, self._limits = prefix, limits
        ordered = sorted(rest_routes(catalogue), key=lambda route: ("{id}" in route.path, route.path))
        self.routes: list[BaseRoute] = []
        allowed: dict[str, str] = {}
        for below, routes in groupby(ordered, key=lambda route: route.path):
            here, path = list(routes), prefix + below
            pattern, *_ = compile_path(path)
            reserved = {found["id"]: allow for fixed, allow in allowed.items() if (found := pattern.match(fixed))}
            endpoints = {route.method: self._endpoint(route, reserved) for route in here}
            if "GET" in endpoints:
                endpoints["HEAD"] = endpoints["GET"]  # the body is the server's to leave out
            if "{id}" not in path:
                allowed[path] = ", ".join(sorted(endpoints))
            self.routes.append(Route(path, partial(_dispatch, endpoints), methods=list(endpoints)))
            queries = {each.method: self._endpoint(each, reserved) for route in here if (each := query_of(route))}
            # On their own, so that a 405 names the methods that are declared.
            self.routes += [Route(path, each, methods=[method]) for method, each in queries.items()]
            self.direct |= {(method, path): application_of(each) for method, each in (endpoints | queries).items()}
            self.accepts[path] = _accepts(here)

    def _endpoint(self, route: RestRoute, reserved: Mapping[str, str]) -> Endpoint:
        queries = None
        if route.resource is not None:  # a list and its searches ask the same, and share what is remembered
            asked = id(route.relation or route.operation)
            queries = self._shared.setdefault(asked, Queries(route, self._limits))
        endpoint = watched(route, _Endpoint(route, self._prefix, queries).answer)
        return partial(_beside, reserved, endpoint) if reserved else endpoint


async def _beside(allowed: Mapping[str, str], endpoint: Endpoint, request: Request) -> Response:
    """Refuse fixed segments as identifiers, by the methods that are allowed at their paths (RFC 9110, section 15.5.6).

    Otherwise `DELETE /items/search`, which `/items/{id}` matches, would delete the item with the identifier `search`.
    """
    allow = allowed.get(request.path_params["id"])
    if allow is not None:
        raise Problem(METHOD_NOT_ALLOWED, allow=allow)
    return await endpoint(request)


async def _dispatch(endpoints: Mapping[str, Endpoint], request: Request) -> Response:
    return await endpoints[request.method](request)


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """What answers the requests to one route; `queries` is None if it shows no rows."""

    route: RestRoute
    prefix: str
    queries: Queries | None

    async def answer(self, request: Request) -> Response:
        preference = negotiated(request.scope["headers"])
        gateway: Gateway = request.app.state.gateway
        address = request.client.host if request.client else ""
        actor, admitted = await self._admitted(request, gateway, address)
        payment = payment_of(request, gateway, actor)
        try:
            with gateway.part(Concurrency).slot(actor, address):
                if admitted is not None:
                    return await self._write(request, gateway, admitted, payment, preference)
                return await self._read(request, gateway, actor, payment)
        except PricedError as found:
            return priced(found.payment)
        except OverdrawnError as error:
            raise error.problem from None

    async def _admitted(self, request: Request, gateway: Gateway, address: str) -> tuple[Actor, Admitted | None]:
        """The actor of a request, who may call the route; to write, they are admitted. Raises as `admit` does."""
        operation, presented = self.route.operation, Credentials.of(request.scope["headers"], address)
        actor = await gateway.part(Authenticator).actor_for([operation] if operation else [], presented)
        if operation is not None and not operation.is_read:
            client = Client(address, request.headers.get("user-agent", ""))
            return actor, await gateway.admit(operation, actor, client)
        asked = self.route.relation or operation
        assert asked is not None
        gateway.allow(asked, actor)
        return actor, None

    async def _read(self, request: Request, gateway: Gateway, actor: Actor, payment: Payment | None) -> Response:
        route, asked = self.route, await self._asked(request)
        inputs = asked.inputs(self._key(request))
        expected = expected_of(request.scope["headers"])
        shown = shown_of(route, await gateway.read(asked.query, inputs, actor, payment))
        content = orjson.dumps(shown.body)
        if route.method == "POST":  # which asks, but is no way to what could be linked to or kept
            return Response(content, 200, None, JSON)
        headers = page_links(request, asked.arguments, shown) if asked.arguments and not route.is_search else {}
        if route.is_list:
            headers["Accept-Query"] = ACCEPT_QUERY
        return representation(content, headers, expected)

    async def _asked(self, request: Request) -> Parsed:
        """What is to be read: as the query string says, or the body of a search."""
        assert self.queries is not None
        query_string = request.scope["query_string"]
        if not self.route.is_search:
            return self.queries.parse(query_string)
        refuse_unknown(parameters(query_string))
        body = await request.body()
        check_values(body, request.app.state.gateway.limits)
        if body or self.route.method == "QUERY":  # which is nothing without its content (RFC 10008, section 2)
            kind = media_type(request.headers.get("content-type", ""))
            _check_media_type(kind, [ACCEPT_QUERY], f"accept_{self.route.method.lower()}")
        return self.queries.search(body)

    async def _write(
        self, request: Request, gateway: Gateway, admitted: Admitted, payment: Payment | None,
        preference: Preference | None,
    ) -> Response:  # fmt: skip
        operation, query_string = admitted.operation, request.scope["query_string"]
        if operation.name == CREATE and is_form(request.headers.get("content-type", "")):
            return await received_form(request, gateway, admitted, self.prefix, payment)
        query, included = None, tuple[Input, ...]()
        if self.queries is not None:
            asked = self.queries.parse(query_string)
            query, included = asked.query, asked.included
        else:
            refuse_unknown(parameters(query_string, gateway.limits))
        expected = expected_of(request.scope["headers"])
        key, data = self._key(request) or NIL, await _body(operation, request, gateway.limits)

        def shaped(result: Any) -> Response:
            return written(self.route, request, self.prefix, result, preference)

        once = idempotency_of(request, shaped, preference)
        result = await gateway.write(admitted, Write(key, data, query, included, expected, once), payment)
        return answer_again(result) if isinstance(result, StoredOrNewAnswer) else shaped(result)

    def _key(self, request: Request) -> UUID | None:
        """The key in the path, if there is one. Raises `validation_failed` naming `id`."""
        if "id" not in request.path_params:
            return None
        key: UUID = parse_value(self.route.source.adapter("id"), request.path_params["id"], ("id",))
        return key


async def _body(operation: Operation, request: Request, limits: Limits) -> bytes | None:
    """The JSON body; an absent one counts as an empty object. Raises `unsupported_media_type` and `bad_request`."""
    if operation.kind is Kind.DELETE:
        return None
    kind = media_type(request.headers.get("content-type", ""))
    if operation.name in oauth2.BY_FORM and kind == oauth2.FORM:
        return await oauth2.form_as_json(request, operation.name)
    body = await request.body()
    check_values(body, limits)
    if body:
        _check_media_type(kind, _media_types(operation), f"accept_{request.method.lower()}")
    return body


def _check_media_type(kind: str, accepted: Sequence[str], member: str) -> None:
    if kind not in accepted:
        members: dict[str, Any] = {member: ", ".join(accepted)}
        bodies = " or ".join(each for each in accepted if each != oauth2.FORM)
        raise Problem(UNSUPPORTED_MEDIA_TYPE, f"The body must be {bodies}.", **members)


def _media_types(operation: Operation) -> list[str]:
    if operation.kind is Kind.UPDATE:
        return [JSON, _MERGE_PATCH]
    return [JSON, oauth2.FORM] if operation.name in oauth2.BY_FORM else [JSON]


def _accepts(routes: Sequence[RestRoute]) -> dict[str, str]:
    """`Accept-Patch` (RFC 5789), `Accept-Post` (W3C's Linked Data Platform), `Accept-Query` (RFC 10008)."""
    found = {}
    for route in routes:
        if route.is_list:
            found["Accept-Post" if route.is_search else "Accept-Query"] = ACCEPT_QUERY
        elif route.method in ("POST", "PATCH") and route.operation is not None:
            found[f"Accept-{route.method.capitalize()}"] = ", ".join(_media_types(route.operation))
    return found
