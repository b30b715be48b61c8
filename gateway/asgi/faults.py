"""What goes wrong outside of an operation, as a Problem in the form of the face it was meant for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import orjson
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from gateway.portal.problems import prefers_html, problem_page
from graphql_schema.schema.errors import error_json
from graphql_schema.transport.negotiation import Form, form_of
from rest.http.problems import problem_response
from services.catalogue.problems import (
    BAD_REQUEST,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    PAYLOAD_TOO_LARGE,
    UNSUPPORTED_MEDIA_TYPE,
    Problem,
    ProblemType,
)

WriteProblem: TypeAlias = Callable[[Scope, Problem], Response]

_GRAPHQL: Final = "/graphql"
_BY_STATUS: Final[Mapping[int, ProblemType]] = {
    each.status: each
    for each in (BAD_REQUEST, NOT_FOUND, METHOD_NOT_ALLOWED, PAYLOAD_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE)
}


def write_problem(scope: Scope, problem: Problem) -> Response:
    """A problem found before a face was reached: GraphQL's form at `/graphql`, RFC 9457 everywhere else."""
    if _path(scope) != _GRAPHQL:
        return problem_response(problem)
    body = orjson.dumps({"errors": [error_json(problem)]})
    typed = form_of(dict(scope["headers"]).get(b"accept")) is Form.TYPED
    media_type = (Form.TYPED if typed else Form.PLAIN).value
    return Response(body, problem.type.status, {**problem.headers(), "Vary": "Accept"}, media_type)


def problem_writer(project_name: str, api_prefix: str) -> WriteProblem:
    """As `write_problem`, but outside of the faces whoever would rather have HTML, as browsers do, gets a page."""

    def write(scope: Scope, problem: Problem) -> Response:
        path = _path(scope)
        if path in (_GRAPHQL, api_prefix) or path.startswith(f"{api_prefix}/"):
            return write_problem(scope, problem)
        if prefers_html(Headers(scope=scope).get("accept", "")):
            return problem_page(problem, project_name, scope.get("root_path", "").rstrip("/"))
        response = write_problem(scope, problem)
        response.headers["Vary"] = "Accept"
        return response

    return write


def _path(scope: Scope) -> str:
    """The path below the one that the gateway is mounted at, without a slash at its end."""
    return str(scope.get("path", "")).removeprefix(scope.get("root_path", "")).rstrip("/")


def register_fault_handlers(app: Starlette, write: WriteProblem) -> None:
    """Show Problems, and what Starlette itself refuses (no such address, no such method), as Problems."""

    async def on_problem(request: Request, error: Any) -> Response:
        return write(request.scope, error)

    async def on_http(request: Request, error: Any) -> Response:
        kind = _BY_STATUS.get(error.status_code, BAD_REQUEST)
        allow = (error.headers or {}).get("Allow")
        # The framework keeps methods in a set, whose order differs from process to process.
        problem = Problem(kind, allow=", ".join(sorted(allow.split(", ")))) if allow else Problem(kind)
        return write(request.scope, problem)

    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(HTTPException, on_http)
