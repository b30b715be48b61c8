"""Batches as GraphQL has them: the inputs of the mutations they are made of, and a result for each entry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import strawberry
from strawberry.types.field import StrawberryField

from graphql_schema.schema.building import Argument, add_fields, attribute, field, input_type, list_of, nullable
from graphql_schema.schema.context import Info
from graphql_schema.schema.errors import problem_members
from graphql_schema.schema.types import Types
from services.catalogue import Operation, Problem
from services.catalogue.batches import OPERATIONS, about_entries
from services.catalogue.models import description_of
from services.catalogue.naming import pascal
from services.catalogue.resources import Resource
from services.engine.authorization import authorize_read
from services.queries.batches import EntryOutcome

PROBLEM: Final = "BatchProblem"
FIELD_ERROR: Final = "BatchFieldError"
ROW: Final = " row"
"""Stands for the field of the row, which is called like the resource."""

Members: TypeAlias = "tuple[Member, ...]"
Member: TypeAlias = "tuple[str, str, Members | None]"
"""Response name, name of the value, and what is wanted below it; None where the name is the value itself."""


@strawberry.type(name=FIELD_ERROR, description="What is wrong with one field of an entry.")
class FieldErrorType:
    """One field error, its path below the entry."""

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


def batch_members(operation: Operation, input_of: Callable[[Operation], Any], most: int) -> list[Argument]:
    """The members of a batch's input, of at most so many entries; `input_of` gives the input type of a mutation."""
    assert operation.input is not None
    assert operation.resource is not None
    model: Any = operation.input.model_fields[OPERATIONS].annotation
    entry: Any = model.__args__[0]
    verbs = [
        Argument(verb, input_of(each), description_of(entry, verb), deprecated=each.why_deprecated)
        for verb, each in operation.entries.items()
    ]
    kind = input_type(f"{pascal(operation.name)}Operation", " ".join(entry.__doc__.split()), verbs)
    return [
        Argument("atomic", bool, description_of(operation.input, "atomic")),
        Argument(OPERATIONS, list_of(kind), about_entries(most), required=True),
    ]


def result_name(resource: Resource[Any]) -> str:
    """The type of an outcome: `ItemBatchResult`."""
    return f"{pascal(resource.name)}BatchResult"


def batch_results(operation: Operation, types: Types) -> StrawberryField:
    """The field `results` of a batch's payload."""
    resource = operation.resource
    assert resource is not None

    async def row(outcome: EntryOutcome, info: Info, values: dict[str, Any]) -> Any:
        if outcome.row is None or outcome.key is None:
            return None
        authorize_read(resource, info.context.actor)
        return types.wrap(resource, await info.context.loaders.row(resource, outcome.key))

    fields = [
        attribute("status", int, "The HTTP status that it would have had alone.", lambda each: each.status),
        attribute(
            "id", nullable(strawberry.ID), "The identifier of its row.", lambda each: _identifier(resource, each)
        ),
        field(resource.name, nullable(types.of(resource)), f"The {resource.noun}, unless it is gone.", row),
        attribute("problem", nullable(ProblemType), "Why it was refused, if it was.", _problem),
    ]
    name = result_name(resource)
    cls = type(name, (), {})
    add_fields(cls, fields)
    kind = strawberry.type(cls, name=name, description="What has become of one entry of a batch.")
    return attribute("results", list_of(kind), "What has become of each entry, in their order.", lambda done: done[0])


def shown_outcome(operation: Operation, outcome: EntryOutcome, members: Members) -> dict[str, Any]:
    """What is wanted of an outcome, as the compiled path shows it."""
    assert operation.resource is not None
    values = {
        "status": outcome.status,
        "id": _identifier(operation.resource, outcome),
        ROW: outcome.row,
        "problem": _members(outcome.problem) if outcome.problem is not None else None,
    }
    return {key: _wanted(values, name, below) for key, name, below in members}


def _wanted(values: dict[str, Any], name: str, below: Members | None) -> Any:
    if below is None:
        return name
    found = values[name]
    if not below or found is None:
        return found
    if isinstance(found, Sequence):
        return [{key: _wanted(each, inner, more) for key, inner, more in below} for each in found]
    return {key: _wanted(found, inner, more) for key, inner, more in below}


def _identifier(resource: Resource[Any], outcome: EntryOutcome) -> str | None:
    return resource.encode(outcome.key) if outcome.key is not None else None


def _members(problem: Problem) -> dict[str, Any]:
    return {"errors": [], **problem_members(problem)}


def _problem(outcome: EntryOutcome) -> ProblemType | None:
    if outcome.problem is None:
        return None
    found = _members(outcome.problem)
    known = {name: found[name] for name in ("type", "title", "status", "code", "detail")}
    return ProblemType(**known, errors=[FieldErrorType(**each) for each in found["errors"]])
