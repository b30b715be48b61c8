"""Problems as REST shows them: `application/problem+json` (RFC 9457) with the headers that HTTP asks for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from services.catalogue.problems import Problem

PROBLEM_MEDIA_TYPE: Final = "application/problem+json"


Endpoint = Callable[[Request], Awaitable[Response]]


def field_path(path: Iterable[str | int]) -> str:
    """A field error's path in REST's habit: `("filter", "status", 0)` becomes `filter.status[0]`."""
    written = ""
    for step in path:
        if isinstance(step, int):
            written += f"[{step}]"
        else:
            written += f".{step}" if written else step
    return written


def problem_members(problem: Problem) -> dict[str, Any]:
    """The problem's members, with field errors written for REST."""
    errors = [{"field": field_path(each.path), "code": each.code, "message": each.message} for each in problem.errors]
    return problem.members(errors)


def problem_response(problem: Problem) -> Response:
    """The problem as a complete response: body, status and headers (`Retry-After`, `WWW-Authenticate`, `Allow`)."""
    return Response(
        orjson.dumps(problem_members(problem), default=str),
        status_code=problem.type.status,
        headers=problem.headers(),
        media_type=PROBLEM_MEDIA_TYPE,
    )


def application_of(endpoint: Endpoint) -> ASGIApp:
    """An endpoint that needs no framework: it answers with the Problems that it raises."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await endpoint(Request(scope, receive))
        except Problem as problem:
            response = problem_response(problem)
        await response(scope, receive, send)

    return application
