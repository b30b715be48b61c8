"""Turns Problems into entries of GraphQL's `errors`, with the problem's members as `extensions`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import structlog
from graphql import GraphQLError

from services.catalogue.naming import camel
from services.catalogue.problems import INTERNAL_ERROR, INVALID_DOCUMENT, Problem
from services.process import observation

log = structlog.get_logger(__name__)

MAX_MESSAGE: Final = 300


class InvalidDocumentError(Exception):
    """Raised for a document that cannot be run. `errors` are entries of the response, `status` is its HTTP status."""

    def __init__(self, causes: Sequence[GraphQLError]) -> None:
        super().__init__()
        self.errors = [error_json(document_problem(cause), cause.formatted) for cause in causes]
        self.status = INVALID_DOCUMENT.status


def problem_from_error(error: GraphQLError) -> Problem:
    """Return the Problem that caused an error of execution; another exception is logged as `internal_error`."""
    original: BaseException | None = error.original_error
    while isinstance(original, GraphQLError):
        original = original.original_error
    if isinstance(original, Problem):
        return original
    return internal_problem(original or error, error.path)


def internal_problem(error: BaseException, path: Any) -> Problem:
    """Log an unexpected exception, and return the Problem `internal_error`, which has no detail of it."""
    current = observation.current()
    log.error("internal_error", exc_info=error, path=path)
    return Problem(INTERNAL_ERROR, request_id=current.request_id if current else None)


def document_problem(error: GraphQLError) -> Problem:
    """Return the Problem of an invalid document. The message is truncated, because it may quote the document."""
    message = error.message
    return Problem(INVALID_DOCUMENT, message if len(message) <= MAX_MESSAGE else f"{message[:MAX_MESSAGE]}…")


def error_json(problem: Problem, place: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return an entry of `errors`. `place` may have its `locations` in the document and its `path` in the data."""
    found = {name: place[name] for name in ("locations", "path") if name in place} if place is not None else {}
    return {"message": problem.detail, **found, "extensions": problem_members(problem)}


def problem_members(problem: Problem) -> dict[str, Any]:
    """Return the members of a Problem, with the paths of its field errors in GraphQL's notation."""
    return problem.members(
        [{"field": field_path(error.path), "code": error.code, "message": error.message} for error in problem.errors]
    )


def field_path(path: Iterable[str | int]) -> str:
    """Return a field error's path in GraphQL's notation: `("filter", "due_at", 0)` as `filter.dueAt[0]`."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{camel(step)[:100]}" for step in path)
    return "".join(steps).removeprefix(".")
