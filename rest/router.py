"""The REST face: one route per path, which parses, finds the actor, calls one operation and shapes the answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from itertools import groupby
from urllib.parse import urlencode
from uuid import UUID

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from rest import oauth2
from rest.problems import problem_response
from rest.query import Parameters, parameters, refuse_rest
from rest.reading import KEY, Queries
from rest.routes import RestRoute, rest_routes
from services import authorization
from services.auth.authentication import Authenticator, Presented
from services.catalogue import Actor, Catalogue, Client, Kind, Operation, Problem, ResultModel
from services.catalogue.limits import DEFAULTS, Limits, check_values
from services.catalogue.models import parse_value
from services.catalogue.problems import NOT_FOUND, UNSUPPORTED_MEDIA_TYPE
from services.concurrency import Concurrency
from services.execution import NIL, Gateway, Shown, Write

Endpoint = Callable[[Request], Awaitable[Response]]

_JSON = "application/json"
_MERGE_PATCH = "application/merge-patch+json"


class RestRouter:
    """Every operation of the catalogue at its path below the prefix.

    `routes` are the framework's; one serves all methods of a path, so that `Allow` of a 405 is complete. `direct` has
    the same once more, by method and path, as applications that need no framework.
    """

    def __init__(self, catalogue: Catalogue, prefix: str, limits: Limits = DEFAULTS) -> None:
        self.routes: list[Route] = []
        self.direct: dict[tuple[str, str], ASGIApp] = {}
        ordered = sorted(rest_routes(catalogue), key=lambda route: ("{id}" in route.path, route.path))
        for path, routes in groupby(ordered, key=lambda route: route.path):
            endpoints = {route.method: _endpoint(route, prefix, limits) for route in routes}
            methods = [*endpoints, *(["HEAD"] if "GET" in endpoints else [])]
            self.routes.append(Route(prefix + path, _dispatch(endpoints), methods=methods))
            self.direct |= {(method, prefix + path): _application(each) for method, each in endpoints.items()}


def _dispatch(endpoints: Mapping[str, Endpoint]) -> Endpoint:
    async def dispatch(request: Request) -> Response:
        return await endpoints["GET" if request.method == "HEAD" else request.method](request)

    return dispatch


def _application(endpoint: Endpoint) -> ASGIApp:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await endpoint(Request(scope, receive))
        except Problem as problem:
            response = problem_response(problem)
        await response(scope, receive, send)

    return application


def _endpoint(route: RestRoute, prefix: str, limits: Limits) -> Endpoint:
    queries = Queries(route, limits) if route.resource is not None else None

    async def endpoint(request: Request) -> Response:
        gateway: Gateway = request.app.state.gateway
        actor = await _actor(route, request, gateway)
        with gateway.part(Concurrency).slot(actor, request.client.host if request.client else ""):
            if route.operation is not None and not route.operation.is_read:
                return await _write(route, queries, request, gateway, actor, prefix)
            assert queries is not None
            return await _read(route, queries, request, gateway, actor)

    return endpoint


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


async def _read(route: RestRoute, queries: Queries, request: Request, gateway: Gateway, actor: Actor) -> Response:
    query, inputs = queries.parse(request.scope["query_string"])
    if route.relation is not None or not route.is_list:
        inputs = (_key(route, request), *inputs)
    found = (await gateway.read(query, inputs, actor))[KEY]
    if found is not None and route.relation is not None:
        found = found[KEY]
    if found is None:
        raise Problem(NOT_FOUND)
    headers = _links(request, found["page"]["next"]) if route.is_list else {}
    return Response(orjson.dumps(found), 200, headers, _JSON)


async def _write(
    route: RestRoute, queries: Queries | None, request: Request, gateway: Gateway, actor: Actor, prefix: str
) -> Response:
    operation = route.operation
    assert operation is not None
    query_string = request.scope["query_string"]
    if queries is None:
        refuse_rest(parameters(query_string, gateway.limits))
    query, inputs = queries.parse(query_string) if queries is not None else (None, ())
    key, data = _key(route, request), await _body(operation, request, gateway.limits)
    result = await gateway.write(operation, actor, Write(key, data, query, inputs), _client(request))
    if isinstance(result, ResultModel):
        return Response(result.model_dump_json(exclude_none=True).encode(), route.status, None, _JSON)
    if result is None:
        return Response(status_code=204)
    assert isinstance(result, Shown)
    headers = {}
    if route.status == 201 and route.resource is not None:
        base = f"{request.scope.get('root_path', '')}{prefix}/{route.resource.path}"
        headers["Location"] = f"{base}/{route.resource.encode(result.key)}"
    return Response(orjson.dumps(result.answer[KEY]), route.status, headers, _JSON)


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
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if operation.name in oauth2.BY_FORM and media_type == oauth2.FORM:
        return await oauth2.form_body(request, operation.name)
    body = await request.body()
    accepted = (_JSON, _MERGE_PATCH) if operation.kind is Kind.UPDATE else (_JSON,)
    check_values(body, limits)
    if body and media_type not in accepted:
        raise Problem(UNSUPPORTED_MEDIA_TYPE, f"The body must be {' or '.join(accepted)}.")
    return body


def _key(route: RestRoute, request: Request) -> UUID:
    """The key in the path, or none in particular. Raises `validation_failed` naming `id`."""
    if "id" not in request.path_params:
        return NIL
    resource = route.relation.source if route.relation is not None else route.operation and route.operation.resource
    assert resource
    key: UUID = parse_value(resource.adapter("id"), request.path_params["id"], ("id",))
    return key


def _links(request: Request, cursor: str | None) -> dict[str, str]:
    """`Link` (RFC 8288) to the next page, as a reference relative to the origin."""
    if cursor is None:
        return {}
    kept: Parameters = {name: value for name, value in request.query_params.items() if name not in ("after", "skip")}
    query = urlencode({**kept, "after": cursor})
    return {"Link": f'<{request.url.path}?{query}>; rel="next"'}
