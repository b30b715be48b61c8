"""Batches: many creations, changes and deletions of one resource in one call.

A batch is one more preset of operations (`items.batch(create_item, update_item, delete_item)`). Its entries are calls
of the operations that it is made of, under the same rules, each recorded in the audit. The caller chooses: all in one
transaction, which the first problem undoes (`atomic`), or each by itself, with a result of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Final, Self
from uuid import UUID

import orjson
from pydantic import Field, create_model, model_validator
from pydantic_core import PydanticCustomError

from services.catalogue.identifiers import Identifier
from services.catalogue.models import InputModel, absent, parse_input
from services.catalogue.naming import pascal
from services.catalogue.problems import BAD_REQUEST, VALIDATION_FAILED, Problem

if TYPE_CHECKING:
    from services.catalogue.operations import Operation
    from services.catalogue.resources import Resource

MAX_ENTRIES: Final = 500
OPERATIONS: Final = "operations"
VERBS: Final = ("create", "update", "delete")
_WORDS: Final = {
    "create": "Make a new one.", "update": "Change one; what is left out stays.", "delete": "Delete one.",
}  # fmt: skip


class _Entry(InputModel):
    """One of the batch's operations: exactly one member."""

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if sum(getattr(self, name) is not None for name in type(self).model_fields) != 1:
            raise PydanticCustomError("one_of", "Say one thing to be done: {names}.", {"names": _listed(type(self))})
        return self


class _Outer(InputModel):
    """A batch whose entries are not looked at yet."""

    atomic: bool = True
    operations: list[Any] = Field(min_length=1, max_length=MAX_ENTRIES)


@dataclass(frozen=True, slots=True)
class Entry:
    """One call of a batch: the operation, the row's key where it is on a row, and the input."""

    verb: str
    operation: Operation
    key: UUID | None
    data: InputModel


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as asked for. Of entries that are not valid, where others go on without them, there is the Problem."""

    atomic: bool
    entries: Sequence[Entry | Problem]


@dataclass(frozen=True, slots=True)
class EntryOutcome:
    """What has become of an entry: the key of its row, or a Problem; `row` as it was asked to be shown, if it is left.

    `status` is what the operation alone would have answered with.
    """

    status: int
    key: UUID | None = None
    problem: Problem | None = None
    row: Any = None


def batch_input(resource: Resource[Any], entries: Mapping[str, Operation]) -> type[InputModel]:
    """The input model of a batch of these operations, by their verbs."""
    plural = pascal(resource.plural)
    members: dict[str, Any] = {}
    for verb, operation in entries.items():
        members[verb] = (_entry_input(resource, operation) | None, absent(_WORDS[verb]))
    entry = create_model(
        f"{plural}BatchOperation",
        __base__=_Entry,
        __doc__=f"What to do with {resource.nouns}: exactly one member.",
        **members,
    )
    words = "Whether all is undone when one cannot be done; otherwise each has a result of its own."
    about = f"What is to be done, in this order: at most {MAX_ENTRIES}."
    found: type[InputModel] = create_model(
        f"{plural}Batch",
        __base__=InputModel,
        __doc__=f"Many changes to {resource.nouns} at once.",
        atomic=(bool, Field(default=True, description=words)),
        operations=(list[entry], Field(min_length=1, max_length=MAX_ENTRIES, description=about)),
    )
    return found


def _entry_input(resource: Resource[Any], operation: Operation) -> type[InputModel]:
    """The operation's input, with the row's identifier where it is on a row."""
    if not operation.on_a_row:
        assert operation.input is not None
        return operation.input
    base = operation.input or InputModel
    identifier = Annotated[UUID, Identifier(resource.prefix)]
    words = Field(description=f"The identifier of the {resource.noun}.")
    name = f"{pascal(resource.name)}Batch{pascal(operation.kind.value)}"
    about = base.__doc__ if operation.input is not None else f"Which {resource.noun}."
    return create_model(name, __base__=base, __doc__=about, id=(identifier, words))


def parse_batch(operation: Operation, data: bytes | Mapping[str, Any]) -> Batch:
    """Validate a batch.

    Raises as `parse_input`; the paths of field errors begin with the entry's (`operations[3].create.title`). An entry
    that is not valid is a Problem, and refuses the batch if that is atomic.
    """
    try:
        outer = parse_input(_Outer, orjson.loads(data) if isinstance(data, bytes) else data)
    except orjson.JSONDecodeError:
        raise Problem(BAD_REQUEST, "The body is not well-formed JSON in UTF-8.") from None
    assert operation.input is not None
    model = operation.input.model_fields[OPERATIONS].annotation.__args__[0]  # type: ignore[union-attr]
    entries = [_entry(operation, model, each) for each in outer.operations]
    if outer.atomic:
        refused = [located(each, OPERATIONS, index) for index, each in enumerate(entries) if isinstance(each, Problem)]
        if refused:
            raise Problem(VALIDATION_FAILED, errors=[error for each in refused for error in each.errors])
    return Batch(outer.atomic, entries)


def _entry(batch: Operation, model: type[InputModel], given: Any) -> Entry | Problem:
    if not isinstance(given, Mapping):
        return Problem.field((), "type", "This must be an object.")
    try:
        parsed = parse_input(model, given)
    except Problem as problem:
        return problem
    verb = next(name for name in model.model_fields if getattr(parsed, name) is not None)
    data, operation = getattr(parsed, verb), batch.entries[verb]
    if not operation.on_a_row:
        return Entry(verb, operation, None, data)
    key = data.id
    sent = {name: getattr(data, name) for name in data.model_fields_set if name != "id"}
    plain = (operation.input or InputModel).model_construct(_fields_set=set(sent), **{**_absent(operation), **sent})
    return Entry(verb, operation, key, plain)


def _absent(operation: Operation) -> dict[str, Any]:
    fields = operation.input.model_fields if operation.input is not None else {}
    return {name: info.get_default(call_default_factory=True, validated_data={}) for name, info in fields.items()}


def of_entry(problem: Problem, index: int, *place: str) -> Problem:
    """The problem of an entry as the batch's, whose member `operation` says which entry it is."""
    found = located(problem, OPERATIONS, index, *place)
    found.extra = {**found.extra, "operation": index}
    return found


def located(problem: Problem, *place: str | int) -> Problem:
    """The problem with the paths of its field errors below this place; undone with what it is about."""
    errors = tuple(replace(each, path=(*place, *each.path)) for each in problem.errors)
    return Problem(problem.type, problem.detail, errors=errors, retry_after=problem.retry_after, **problem.extra)


def _listed(model: type[InputModel]) -> str:
    *most, last = model.model_fields
    return f"{', '.join(most)} or {last}" if most else last
