"""Creates the inputs and results of batch mutations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter, itemgetter
from typing import Any, Final

import strawberry
from strawberry.types.field import StrawberryField

from graphql_schema.schema.building import Argument, attribute, input_type, list_of, nullable, object_type
from graphql_schema.schema.errors import problem_members
from graphql_schema.schema.types import Types
from services.catalogue import Operation
from services.catalogue.batches import OPERATIONS, about_entries
from services.catalogue.models import description_of
from services.catalogue.naming import pascal
from services.catalogue.resources import Resource
from services.queries.batches import EntryOutcome

PROBLEM: Final = "BatchProblem"
FIELD_ERROR: Final = "BatchFieldError"


def _strings(members: Mapping[str, str]) -> list[StrawberryField]:
    """Return fields that are strings in a dictionary, by their descriptions."""
    return [attribute(name, str, description, itemgetter(name)) for name, description in members.items()]


_FIELD_ERROR_TYPE: Final = object_type(FIELD_ERROR, "What is wrong with one field of an entry.", _strings({
    "field": "The path to it, such as `create.title`.",
    "code": "What is wrong, for programs.",
    "message": "What is wrong, in words.",
}))  # fmt: skip
_PROBLEM_TYPE: Final = object_type(PROBLEM, "Why an entry was refused: the same members as an error's extensions.", [
    *_strings({"type": "Where this kind of problem is documented.", "title": "The kind of problem, in words."}),
    attribute("status", int, "The HTTP status of it.", itemgetter("status")),
    *_strings({"code": "The kind of problem, for programs.", "detail": "What happened this time."}),
    attribute("errors", list_of(_FIELD_ERROR_TYPE), "The fields at fault.", itemgetter("errors")),
])  # fmt: skip


def batch_members(operation: Operation, input_of: Callable[[Operation], Any], max_entries: int) -> list[Argument]:
    """Return the members of a batch's input. `input_of` returns the input type of a mutation."""
    assert operation.input is not None
    assert operation.resource is not None
    entries: Any = operation.input.model_fields[OPERATIONS].annotation
    model: Any = entries.__args__[0]
    verbs = [
        Argument(verb, input_of(entry), description_of(model, verb), deprecated=entry.deprecated)
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


def outcome_readers(resource: Resource[Any]) -> dict[str, Callable[[EntryOutcome], Any]]:
    """Return the functions that read the members of an outcome's type, but for the row."""
    return {
        "status": attrgetter("status"),
        "id": lambda outcome: resource.encode(outcome.key) if outcome.key is not None else None,
        "problem": _problem,
    }


def _problem(outcome: EntryOutcome) -> dict[str, Any] | None:
    return {"errors": [], **problem_members(outcome.problem)} if outcome.problem is not None else None


def batch_results(operation: Operation, types: Types) -> StrawberryField:
    """Return the field `results` of a batch's payload."""
    resource = operation.resource
    assert resource is not None
    read = outcome_readers(resource)
    fields = [
        attribute("status", int, "The HTTP status of the operation on its own.", read["status"]),
        attribute("id", nullable(strawberry.ID), "The identifier of its row.", read["id"]),
        attribute(
            resource.name,
            nullable(types.classes[resource]),
            f"The {resource.noun}, unless it is gone.",
            lambda outcome: types.wrap(resource, outcome.row),
        ),
        attribute("problem", nullable(_PROBLEM_TYPE), "Why it was refused, if it was.", read["problem"]),
    ]
    result = object_type(result_name(resource), "The outcome of one entry of a batch.", fields)
    return attribute("results", list_of(result), "The outcome of each entry, in order.", lambda done: done[0])
