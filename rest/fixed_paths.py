"""Paths without a parameter that stand beside one with it: `/items/search` beside `/items/{id}`.

The one with the parameter would match them too, and take `search` for an identifier in the methods that only it has.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from rest.http.problems import problem_response
from services.catalogue.problems import METHOD_NOT_ALLOWED, Problem


class FixedPaths(BaseRoute):
    """Refuses the methods that these paths do not have (405, RFC 9110, section 15.5.6); `Allow` names what is declared.

    It belongs before `routes`, and leaves to them what they are to answer, and OPTIONS. `direct` is as of RestRouter.
    """

    def __init__(self, routes: Sequence[Route]) -> None:
        self._answered: dict[str, frozenset[str]] = {}
        self._allow: dict[str, str] = {}
        self.direct: dict[tuple[str, str], ASGIApp] = {}
        for path in {each.path for each in routes if "{" not in each.path}:
            others = [each for each in routes if "{" in each.path and each.path_regex.match(path)]
            if others:
                here = [each for each in routes if each.path == path]
                # The first has what is declared, as a 405 of the framework's has it.
                self._allow[path] = ", ".join(sorted(_methods(here[:1])))
                self._answered[path] = _methods(here) | {"OPTIONS"}
                self.direct |= {(method, path): self.handle for method in _methods(others) - self._answered[path]}

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether it is a method that one of the paths does not have."""
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
    return frozenset().union(*(each.methods or () for each in routes))
