"""Differences between the ways, and those that are meant, each with its reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gateway.parity.calls.outcomes import Outcome, Path
from gateway.parity.calls.ways import Made
from gateway.parity.world.values import NUMBER
from services.catalogue.problems import INSUFFICIENT_SCOPE, NOT_FOUND


@dataclass(frozen=True, slots=True)
class Difference:
    """A way that has come to something else than the services; `paths` lead to where in the outcomes."""

    made: Made
    way: str
    expected: Outcome
    found: Outcome
    paths: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Declared:
    """A difference: what it is called, why it is right, and whether one that was found is it."""

    name: str
    reason: str
    applies: Callable[[Difference], bool]


def _number_as_identifier(found: Difference) -> bool:
    only_errors = all(path[0] == "errors" for path in found.paths)
    return found.way.startswith("graphql") and found.made.case.name.endswith(f": {NUMBER}") and only_errors


def _below_nothing(found: Difference) -> bool:
    of_relation = found.made.include is not None and found.made.caller.lacks != found.made.operation.scope
    problems = (found.expected.problem, found.found.problem)
    return found.way.startswith("graphql") and of_relation and problems == (INSUFFICIENT_SCOPE.code, NOT_FOUND.code)


DECLARED: Final = (
    Declared(
        "An integer where an identifier should be is `format` in GraphQL, `type` elsewhere.",
        "GraphQL's scalar ID takes integers as their text (specification, 3.5.5), so that the text is what is wrong.",
        _number_as_identifier,
    ),
    Declared(
        "A relation whose scope is missing, of a row that is not there, is `not_found` in GraphQL.",
        "GraphQL answers field by field: below a row that is not there no relation is asked for, so nothing is told "
        "of it. REST and the services look at a request as a whole, scopes first.",
        _below_nothing,
    ),
)
"""As few as there can be."""


def declared(difference: Difference) -> Declared | None:
    """The declaration that a difference falls under."""
    return next((each for each in DECLARED if each.applies(difference)), None)
