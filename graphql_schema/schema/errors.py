"""Problems as GraphQL shows them: `errors[]` with the problem's members as `extensions`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import structlog
from graphql import GraphQLError

from services.catalogue.naming import camel
from services.catalogue.problems import INTERNAL_ERROR, INVALID_DOCUMENT, FieldError, Problem
from services.process import observation

log = structlog.get_logger(__name__)

MAX_MESSAGE: Final = 300


class RefusedError(Exception):
    """A document that cannot be run, with the entries of `errors` that say why, and the status that goes with them."""

    def __init__(self, found: Sequence[GraphQLError]) -> None:
        super().__init__()
        problems = [(document_problem(error), error) for error in found]
        self.errors = [error_json(problem, error) for problem, error in problems]
        self.status = problems[0][0].type.status


def problem_of(error: GraphQLError) -> Problem:
    """The Problem behind an error of execution. Anything that is not a Problem is logged, and shown without detail."""
    original: BaseException | None = error.original_error
    while isinstance(original, GraphQLError):
        original = original.original_error
    if isinstance(original, Problem):
        return original
    return internal_problem(original or error, error.path)


def internal_problem(error: BaseException, path: Any) -> Problem:
    """What is shown of a fault of ours, which is logged."""
    current = observation.current()
    log.error("internal_error", exc_info=error, path=path)
    return Problem(INTERNAL_ERROR, request_id=current.request_id if current else None)


def document_problem(error: GraphQLError) -> Problem:
    """The Problem of a document that is not valid; what it quotes of the document is cut short."""
    message = error.message
    return Problem(INVALID_DOCUMENT, message if len(message) <= MAX_MESSAGE else f"{message[:MAX_MESSAGE]}…")


def error_json(problem: Problem, error: GraphQLError | None = None) -> dict[str, Any]:
    """One entry of `errors`; `error` gives its place in the document and in the data."""
    if error is None:
        return error_at(problem, [], None)
    return error_at(problem, [{"line": each.line, "column": each.column} for each in error.locations or ()], error.path)


def error_at(problem: Problem, locations: list[dict[str, int]], path: list[str | int] | None) -> dict[str, Any]:
    """One entry of `errors`, with its place in the document and in the data."""
    shown: dict[str, Any] = {"message": problem.detail}
    if locations:
        shown["locations"] = locations
    if path is not None:
        shown["path"] = path
    shown["extensions"] = problem_members(problem)
    return shown


def problem_members(problem: Problem) -> dict[str, Any]:
    """The problem's members, with field errors written for GraphQL."""
    return problem.members([_field_error(each) for each in problem.errors])


def _field_error(error: FieldError) -> dict[str, str]:
    return {"field": field_path(error.path), "code": error.code, "message": error.message}


def field_path(path: Iterable[str | int]) -> str:
    """A field error's path in GraphQL's habit: `("filter", "due_at", 0)` as `filter.dueAt[0]`."""
    shown = ""
    for step in path:
        name = f"[{step}]" if isinstance(step, int) else camel(step)[:100]
        shown += name if isinstance(step, int) or not shown else f".{name}"
    return shown
