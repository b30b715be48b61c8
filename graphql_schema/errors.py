"""Problems as GraphQL shows them: `errors[]` with the problem's members as `extensions`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import structlog
from graphql import GraphQLError

from services import observation
from services.catalogue.naming import camel
from services.catalogue.problems import INTERNAL_ERROR, INVALID_DOCUMENT, FieldError, Problem

log = structlog.get_logger(__name__)

MAX_MESSAGE: Final = 300


def problem_of(error: GraphQLError) -> Problem:
    """The Problem behind an error of execution. Anything that is not a Problem is logged, and shown without detail."""
    original: BaseException | None = error.original_error
    while isinstance(original, GraphQLError):
        original = original.original_error
    if isinstance(original, Problem):
        return original
    current = observation.current()
    log.error("internal_error", exc_info=original or error, path=error.path)
    return Problem(INTERNAL_ERROR, request_id=current.request_id if current else None)


def document_problem(error: GraphQLError) -> Problem:
    """The Problem of a document that is not valid; what it quotes of the document is cut short."""
    message = error.message
    return Problem(INVALID_DOCUMENT, message if len(message) <= MAX_MESSAGE else f"{message[:MAX_MESSAGE]}…")


def error_json(problem: Problem, error: GraphQLError | None = None) -> dict[str, Any]:
    """One entry of `errors`; `error` gives its place in the document and in the data."""
    shown: dict[str, Any] = {"message": problem.detail}
    if error is not None and error.locations:
        shown["locations"] = [{"line": each.line, "column": each.column} for each in error.locations]
    if error is not None and error.path is not None:
        shown["path"] = error.path
    shown["extensions"] = problem.members([_field_error(each) for each in problem.errors])
    return shown


def _field_error(error: FieldError) -> dict[str, str]:
    return {"field": field_path(error.path), "code": error.code, "message": error.message}


def field_path(path: Iterable[str | int]) -> str:
    """A field error's path in GraphQL's habit: `("filter", "due_at", 0)` as `filter.dueAt[0]`."""
    shown = ""
    for step in path:
        name = f"[{step}]" if isinstance(step, int) else camel(step)[:100]
        shown += name if isinstance(step, int) or not shown else f".{name}"
    return shown
