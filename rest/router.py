"""The REST face: one route per path, which parses, finds the actor, calls one operation and shapes the answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from itertools import groupby
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.responses import Response

from rest import oauth2
from rest.query import Parameters, parameters, parse_list, parse_selection, refuse_rest
from rest.representation import result_bytes
from rest.routes import RestRoute, rest_routes
from services import execution
from services.auth.authentication import Authenticator
from services.catalogue import Actor, Catalogue, Client, Kind, Operation, Page, Problem, Selection
from services.catalogue.models import parse_value
from services.catalogue.problems import UNSUPPORTED_MEDIA_TYPE
from services.execution import Gateway

Endpoint = Callable[[Request], Awaitable[Response]]

_JSON = "application/json"
_MERGE_PATCH = "application/merge-patch+json"


def rest_router(catalogue: Catalogue, prefix: str) -> APIRouter:
    """Every operation of the catalogue at its path below the prefix.

    One route serves all methods of a path, so that `Allow` of a 405 is complete.
    """
    router = APIRouter(prefix=prefix, redirect_slashes=False)
    ordered = sorted(rest_routes(catalogue), key=lambda route: ("{id}" in route.path, route.path))
    for path, routes in groupby(ordered, key=lambda route: route.path):
        endpoints = {route.method: _endpoint(route, prefix) for route in routes}
        methods = [*endpoints, *(["HEAD"] if "GET" in endpoints else [])]
        router.add_api_route(path, _dispatch(endpoints), methods=methods, include_in_schema=False, response_model=None)
    return router


def _dispatch(endpoints: Mapping[str, Endpoint]) -> Endpoint:
    async def dispatch(request: Request) -> Response:
        return await endpoints["GET" if request.method == "HEAD" else request.method](request)

    return dispatch


def _endpoint(route: RestRoute, prefix: str) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        gateway: Gateway = request.app.state.gateway
        actor = await _actor(route, request, gateway)
        if route.operation is not None and not route.operation.is_read:
            return await _write(route, route.operation, request, gateway, actor, prefix)
        return await _read(route, request, gateway, actor)

    return endpoint


async def _actor(route: RestRoute, request: Request, gateway: Gateway) -> Actor:
    """The actor of a request, who may call the route. Raises `invalid_token` and as `authorize`."""
    called = [route.operation] if route.operation is not None else []
    actor = await gateway.part(Authenticator).actor_for(called, request.headers.get("authorization"))
    if route.operation is not None:
        execution.authorize(route.operation, actor)
    if route.relation is not None:
        execution.authorize_relation(route.relation, actor)
    return actor


async def _read(route: RestRoute, request: Request, gateway: Gateway, actor: Actor) -> Response:
    assert route.resource is not None
    given = parameters(request.scope["query_string"])
    selection = parse_selection(route.resource, given)
    arguments = parse_list(route.resource, given) if route.is_list else None
    refuse_rest(given)
    key = _key(route, request)
    if route.relation is not None:
        assert arguments is not None
        result: execution.Result = await gateway.related(route.relation, actor, key, arguments, selection)
    else:
        assert route.operation is not None
        wanted = execution.Request(key, arguments=arguments, selection=selection)
        result = await gateway.execute(route.operation, actor, wanted)
    headers = _links(request, result) if isinstance(result, Page) else {}
    assert result is not None
    return Response(result_bytes(result, route.resource, selection), 200, headers, _JSON)


async def _write(
    route: RestRoute, operation: Operation, request: Request, gateway: Gateway, actor: Actor, prefix: str
) -> Response:
    given = parameters(request.scope["query_string"])
    selection = parse_selection(route.resource, given) if route.shows_selection and route.resource else None
    refuse_rest(given)
    data = await _body(operation, request)
    wanted = execution.Request(_key(route, request), data, selection=selection)
    result = await gateway.execute(operation, actor, wanted, _client(request))
    if result is None:
        return Response(status_code=204)
    headers = {}
    if route.status == 201 and route.resource is not None and isinstance(result, dict):
        base = f"{request.scope.get('root_path', '')}{prefix}/{route.resource.plural}"
        headers["Location"] = f"{base}/{route.resource.encode(result['id'])}"
    if selection is None and route.resource is not None:
        selection = Selection(tuple(route.resource.fields))
    return Response(result_bytes(result, route.resource, selection), route.status, headers, _JSON)


def _client(request: Request) -> Client:
    """The program on the other side."""
    return Client(request.client.host if request.client else "", request.headers.get("user-agent", ""))


async def _body(operation: Operation, request: Request) -> bytes | None:
    """The JSON body; an absent one counts as an empty object. Raises `unsupported_media_type`."""
    if operation.kind is Kind.DELETE:
        return None
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if operation.name == oauth2.OPERATION and media_type == oauth2.FORM:
        return await oauth2.form_body(request)
    body = await request.body()
    accepted = (_JSON, _MERGE_PATCH) if operation.kind is Kind.UPDATE else (_JSON,)
    if body and media_type not in accepted:
        raise Problem(UNSUPPORTED_MEDIA_TYPE, f"The body must be {' or '.join(accepted)}.")
    return body


def _key(route: RestRoute, request: Request) -> Any:
    """The key in the path. Raises `validation_failed` naming `id`."""
    if "id" not in request.path_params:
        return None
    resource = route.relation.source if route.relation is not None else route.operation and route.operation.resource
    assert resource
    return parse_value(resource.adapter("id"), request.path_params["id"], ("id",))


def _links(request: Request, page: Page) -> dict[str, str]:
    """`Link` (RFC 8288) to the next page, as a reference relative to the origin."""
    if not page.has_next:
        return {}
    kept: Parameters = {name: value for name, value in request.query_params.items() if name not in ("after", "skip")}
    query = urlencode({**kept, "after": page.cursors[-1]})
    return {"Link": f'<{request.url.path}?{query}>; rel="next"'}
