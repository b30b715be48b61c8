"""What goes wrong outside of an operation, as a Problem in the form of the face it was meant for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from graphql_schema.errors import error_json
from graphql_schema.negotiation import Form, form_of
from rest.problems import problem_response
from services.catalogue.problems import (
    BAD_REQUEST,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    PAYLOAD_TOO_LARGE,
    UNSUPPORTED_MEDIA_TYPE,
    Problem,
    ProblemType,
)

_BY_STATUS: Final[Mapping[int, ProblemType]] = {
    each.status: each
    for each in (BAD_REQUEST, NOT_FOUND, METHOD_NOT_ALLOWED, PAYLOAD_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE)
}


def write_problem(scope: Scope, problem: Problem) -> Response:
    """A problem found before a face was reached: GraphQL's form at `/graphql`, RFC 9457 everywhere else."""
    if str(scope.get("path", "")).rstrip("/") != "/graphql":
        return problem_response(problem)
    body = orjson.dumps({"errors": [error_json(problem)]})
    typed = form_of(dict(scope["headers"]).get(b"accept")) is Form.TYPED
    media_type = (Form.TYPED if typed else Form.PLAIN).value
    return Response(body, problem.type.status, {**problem.headers(), "Vary": "Accept"}, media_type)


def register_fault_handlers(app: FastAPI) -> None:
    """Show Problems, and what Starlette itself refuses (no such address, no such method), as Problems."""

    async def on_problem(request: Request, error: Any) -> Response:
        return write_problem(request.scope, error)

    async def on_http(request: Request, error: Any) -> Response:
        return write_problem(request.scope, _http_problem(error))

    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(HTTPException, on_http)


def _http_problem(error: HTTPException) -> Problem:
    kind = _BY_STATUS.get(error.status_code, BAD_REQUEST)
    allow = (error.headers or {}).get("Allow")
    # The framework keeps methods in a set, whose order differs from process to process.
    return Problem(kind, allow=", ".join(sorted(allow.split(", ")))) if allow else Problem(kind)
