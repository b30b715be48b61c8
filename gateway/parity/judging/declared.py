"""Differences between the paths of a call, and those that are declared as intended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.parity.calls.outcomes import Path
from gateway.parity.calls.ways import Invocation
from gateway.parity.world.values import NUMBER
from services.catalogue.problems import INSUFFICIENT_SCOPE, NOT_FOUND


@dataclass(frozen=True, slots=True)
class Difference:
    """A path whose outcome differs from the services', with both values at the places that differ."""

    made: Invocation
    way: str
    places: Mapping[Path, tuple[Any, Any]]


@dataclass(frozen=True, slots=True)
class IntendedDifference:
    """An intended difference: its name, its reason, and a predicate for the differences that it covers."""

    name: str
    reason: str
    applies: Callable[[Difference], bool]


def _number_as_identifier(difference: Difference) -> bool:
    is_number = difference.made.case.name.endswith(f": {NUMBER}")
    is_graphql = difference.way.startswith("graphql")
    return is_graphql and is_number and all(path[0] == "errors" for path in difference.places)


def _relation_of_missing_row(difference: Difference) -> bool:
    made = difference.made
    is_graphql = difference.way.startswith("graphql")
    of_relation = made.include is not None and made.caller.lacks != made.operation.scope
    problems = difference.places.get(("problem",))
    return is_graphql and of_relation and problems == (INSUFFICIENT_SCOPE.code, NOT_FOUND.code)


DECLARED: Final = (
    IntendedDifference(
        "An integer in place of an identifier is a `format` error in GraphQL, a `type` error elsewhere.",
        "GraphQL's scalar ID accepts integers as strings (specification, 3.5.5); the string is then malformed.",
        _number_as_identifier,
    ),
    IntendedDifference(
        "A relation of a missing row, requested without the relation's scope, is `not_found` in GraphQL.",
        "GraphQL resolves field by field, and resolves no relation of a missing row. REST and the services check the "
        "scopes of the whole request first.",
        _relation_of_missing_row,
    ),
)
