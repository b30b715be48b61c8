"""Parsing of batches: validation of each entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from pydantic import Field, ValidationError

from services.catalogue.batches import MAX_ENTRIES, OPERATIONS
from services.catalogue.json_input import read_json
from services.catalogue.models import (
    MAX_LISTED,
    InputModel,
    check_member_count,
    parse_input,
    problem_of,
    too_many_errors,
)
from services.catalogue.naming import EXPECTED
from services.catalogue.operations import Operation
from services.catalogue.problems import VALIDATION_FAILED, FieldError, Problem
from services.queries.versions import Preconditions


class _Outer(InputModel):
    """A batch whose entries are not validated yet."""

    atomic: bool = True
    operations: list[Any] = Field(min_length=1, max_length=MAX_ENTRIES)


@dataclass(frozen=True, slots=True)
class Entry:
    """One call of a batch: the operation, the row's key if it acts on a row, and the input."""

    verb: str
    operation: Operation
    key: UUID | None
    data: InputModel
    expected: Preconditions | None = None
    """The precondition on the version of its row."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A validated batch. An invalid entry of a batch that is not atomic is represented by its Problem."""

    atomic: bool
    entries: Sequence[Entry | Problem]


@dataclass(frozen=True, slots=True)
class EntryOutcome:
    """The outcome of an entry: the key of its row or a Problem, and the row's selection unless it is deleted.

    `status` is the HTTP status that the operation alone would have.
    """

    status: int
    key: UUID | None = None
    problem: Problem | None = None
    row: Any = None


def parse_batch(operation: Operation, data: bytes | Mapping[str, Any], most: int = MAX_ENTRIES) -> Batch:
    """Validate a batch of at most `most` entries.

    Raises as `parse_input`, with the entry's path before those of field errors (`operations[3].create.title`). An
    invalid entry becomes a Problem, which is raised if the batch is atomic.
    """
    try:
        # Entries are validated one by one below.
        outer = _Outer.model_validate(read_json(data) if isinstance(data, bytes) else data)
    except ValidationError as error:
        raise problem_of(error) from None
    check_entry_count(outer.operations, most)
    assert operation.input is not None
    model = operation.input.model_fields[OPERATIONS].annotation.__args__[0]  # type: ignore[union-attr]
    entries: list[Entry | Problem] = []
    faults: list[FieldError] = []
    for index, entry_data in enumerate(outer.operations):
        entry = _entry(operation, model, entry_data, MAX_LISTED - len(faults))
        if isinstance(entry, Problem):
            is_listed = bool(entry.errors)
            if not is_listed:
                entry = Problem(entry.type, entry.detail, errors=[FieldError((), "format", entry.detail)])
            if is_listed or not faults:
                faults += with_path_prefix(entry, OPERATIONS, index).errors
            if outer.atomic and not is_listed:
                break
        entries.append(entry)
    if outer.atomic and faults:
        raise Problem(VALIDATION_FAILED, errors=faults)
    return Batch(outer.atomic, entries)


def check_entry_count(entries: Any, most: int) -> None:
    """Raise `validation_failed` for more than `most` entries."""
    if isinstance(entries, Sequence) and len(entries) > most:
        raise Problem.field(OPERATIONS, "length", f"This should have at most {most} entries.")


def _entry(batch: Operation, model: type[InputModel], entry_data: Any, max_errors: int) -> Entry | Problem:
    """Return the call of an entry, or its Problem with at most `max_errors` fields."""
    if not isinstance(entry_data, Mapping):
        return Problem.field((), "type", "This must be an object.") if max_errors else too_many_errors()
    try:
        for verb, member in entry_data.items():
            if verb in batch.entries and isinstance(member, Mapping):
                check_member_count(model.model_fields[verb].annotation, member)  # type: ignore[arg-type]
        parsed = parse_input(model, entry_data, most=max_errors)
    except Problem as problem:
        return problem
    (verb,) = parsed.model_fields_set
    data, operation = getattr(parsed, verb), batch.entries[verb]
    if not operation.on_a_row:
        return Entry(verb, operation, None, data)
    values = {name: getattr(data, name) for name in data.model_fields_set if name not in ("id", EXPECTED)}
    plain = (operation.input or InputModel).model_construct(_fields_set=set(values), **values)
    return Entry(verb, operation, data.id, plain, Preconditions.version(getattr(data, EXPECTED)))


def with_path_prefix(problem: Problem, *place: str | int, **members: Any) -> Problem:
    """Return the problem with this prefix on the paths of its field errors, and with more members."""
    errors = [replace(error, path=(*place, *error.path)) for error in problem.errors]
    members = {**problem.extra, **members}
    return Problem(problem.type, problem.detail, errors=errors, retry_after=problem.retry_after, **members)
