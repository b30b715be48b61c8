"""Creates the inputs and results of batch mutations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, TypeAlias

import strawberry
from strawberry.types.field import StrawberryField

from graphql_schema.schema.building import Argument, attribute, input_type, list_of, nullable, object_type
from graphql_schema.schema.errors import problem_members
from graphql_schema.schema.types import Types
from services.catalogue import Operation, Problem
from services.catalogue.batches import OPERATIONS, about_entries
from services.catalogue.models import description_of
from services.catalogue.naming import pascal
from services.catalogue.resources import Resource
from services.queries.batches import EntryOutcome

PROBLEM: Final = "BatchProblem"
FIELD_ERROR: Final = "BatchFieldError"
ROW: Final = " row"
"""The name of the row in the values of an outcome. It is no GraphQL name, and so differs from every field's."""

Members: TypeAlias = "tuple[Member, ...]"
Member: TypeAlias = "tuple[str, str, Members | None]"
"""Response name, name of the value, and the members selected below it; None if the name itself is the value."""


@strawberry.type(name=FIELD_ERROR, description="What is wrong with one field of an entry.")
class FieldErrorType:
    """A field error whose path begins below the entry."""

    field: str = strawberry.field(description="The path to it, such as `create.title`.")
    code: str = strawberry.field(description="What is wrong, for programs.")
    message: str = strawberry.field(description="What is wrong, in words.")


@strawberry.type(name=PROBLEM, description="Why an entry was refused: the same members as an error's extensions.")
class ProblemType:
    """A Problem as data."""

    type: str = strawberry.field(description="Where this kind of problem is documented.")
    title: str = strawberry.field(description="The kind of problem, in words.")
    status: int = strawberry.field(description="The HTTP status of it.")
    code: str = strawberry.field(description="The kind of problem, for programs.")
    detail: str = strawberry.field(description="What happened this time.")
    errors: list[FieldErrorType] = strawberry.field(description="The fields at fault.")


def batch_members(operation: Operation, input_of: Callable[[Operation], Any], max_entries: int) -> list[Argument]:
    """Return the members of a batch's input. `input_of` returns the input type of a mutation."""
    assert operation.input is not None
    assert operation.resource is not None
    entries: Any = operation.input.model_fields[OPERATIONS].annotation
    model: Any = entries.__args__[0]
    verbs = [
        Argument(verb, input_of(entry), description_of(model, verb), deprecated=entry.why_deprecated)
        for verb, entry in operation.entries.items()
    ]
    entry_type = input_type(f"{pascal(operation.name)}Operation", " ".join(model.__doc__.split()), verbs)
    return [
        Argument("atomic", bool, description_of(operation.input, "atomic")),
        Argument(OPERATIONS, list_of(entry_type), about_entries(max_entries), required=True),
    ]


def result_name(resource: Resource[Any]) -> str:
    """Return the name of an outcome's type, such as `ItemBatchResult`."""
    return f"{pascal(resource.name)}BatchResult"


def batch_results(operation: Operation, types: Types) -> StrawberryField:
    """Return the field `results` of a batch's payload."""
    resource = operation.resource
    assert resource is not None

    fields = [
        attribute("status", int, "The HTTP status of the operation on its own.", lambda outcome: outcome.status),
        attribute("id", nullable(strawberry.ID), "The identifier of its row.", partial(_identifier, resource)),
        attribute(
            resource.name,
            nullable(types.of(resource)),
            f"The {resource.noun}, unless it is gone.",
            lambda outcome: types.wrap(resource, outcome.row),
        ),
        attribute("problem", nullable(ProblemType), "Why it was refused, if it was.", _problem),
    ]
    result = object_type(result_name(resource), "The outcome of one entry of a batch.", fields)
    return attribute("results", list_of(result), "The outcome of each entry, in order.", lambda done: done[0])


def outcome_json(operation: Operation, outcome: EntryOutcome, members: Members) -> dict[str, Any]:
    """Return the selected members of an outcome on the compiled path."""
    assert operation.resource is not None
    values = {
        "status": outcome.status,
        "id": _identifier(operation.resource, outcome),
        ROW: outcome.row,
        "problem": _members(outcome.problem) if outcome.problem is not None else None,
    }
    return _selected(values, members)


def _selected(values: dict[str, Any], members: Members) -> dict[str, Any]:
    return {key: name if below is None else _value(values[name], below) for key, name, below in members}


def _value(value: Any, below: Members) -> Any:
    if not below or value is None:
        return value
    if isinstance(value, Sequence):
        return [_selected(element, below) for element in value]
    return _selected(value, below)


def _identifier(resource: Resource[Any], outcome: EntryOutcome) -> str | None:
    return resource.encode(outcome.key) if outcome.key is not None else None


def _members(problem: Problem) -> dict[str, Any]:
    return {"errors": [], **problem_members(problem)}


def _problem(outcome: EntryOutcome) -> ProblemType | None:
    if outcome.problem is None:
        return None
    members = _members(outcome.problem)
    known = {name: members[name] for name in ("type", "title", "status", "code", "detail")}
    return ProblemType(**known, errors=[FieldErrorType(**error) for error in members["errors"]])
