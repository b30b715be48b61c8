"""OPTIONS (RFC 9110, section 9.3.7): which methods an address has, and which bodies it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route


def options_routes(
    routes: Iterable[BaseRoute], is_answered: Callable[[str], bool], accepts: Mapping[str, Mapping[str, str]]
) -> list[Route]:
    """OPTIONS at each path that `is_answered`, to go behind `routes`: 204 with a complete `Allow`, and `accepts`."""
    methods: dict[str, set[str]] = {}
    for each in routes:
        if isinstance(each, Route) and each.methods and is_answered(each.path):
            methods.setdefault(each.path, {"OPTIONS"}).update(each.methods)
    return [
        _route(path, {"Allow": ", ".join(sorted(found)), **accepts.get(path, {})}) for path, found in methods.items()
    ]


def _route(path: str, headers: Mapping[str, str]) -> Route:
    async def options(request: Request) -> Response:
        return Response(status_code=204, headers=headers)

    return Route(path, options, methods=["OPTIONS"])
