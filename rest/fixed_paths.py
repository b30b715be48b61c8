"""Refuses other methods at fixed paths that a path with a parameter matches too: `/items/search` and `/items/{id}`.

Otherwise `DELETE /items/search` would delete the item with the identifier `search`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from rest.http.problems import problem_response
from services.catalogue.problems import METHOD_NOT_ALLOWED, Problem


class FixedPaths(BaseRoute):
    """Answers 405 with `Allow` (RFC 9110, section 15.5.6) to the methods that the fixed paths do not have.

    It must come before `routes`, and matches neither their own methods nor OPTIONS. `direct` is as in RestRouter.
    """

    def __init__(self, routes: Sequence[Route]) -> None:
        self._answered: dict[str, frozenset[str]] = {}
        self._allow: dict[str, str] = {}
        self.direct: dict[tuple[str, str], ASGIApp] = {}
        for path in {route.path for route in routes if "{" not in route.path}:
            with_parameter = [route for route in routes if "{" in route.path and route.path_regex.match(path)]
            if with_parameter:
                fixed = [route for route in routes if route.path == path]
                # `Allow` has the methods of the first route only, as in a 405 of the framework.
                self._allow[path] = ", ".join(sorted(_methods(fixed[:1])))
                self._answered[path] = _methods(fixed) | {"OPTIONS"}
                refused = _methods(with_parameter) - self._answered[path]
                self.direct |= {(method, path): self.handle for method in refused}

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match a method that the fixed path does not have."""
        answered = self._answered.get(_path(scope)) if scope["type"] == "http" else None
        return (Match.NONE if answered is None or scope["method"] in answered else Match.FULL), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 405."""
        problem = Problem(METHOD_NOT_ALLOWED, allow=self._allow[_path(scope)])
        await problem_response(problem)(scope, receive, send)


def _path(scope: Scope) -> str:
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def _methods(routes: Iterable[Route]) -> frozenset[str]:
    return frozenset().union(*(route.methods or () for route in routes))
