"""Batches as they are sent: taken apart, and validated entry by entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from pydantic import Field, ValidationError

from services.catalogue.batches import MAX_ENTRIES, OPERATIONS
from services.catalogue.json_input import read_json
from services.catalogue.models import MAX_LISTED, InputModel, parse_input, problem_of, refuse_crowd, too_much
from services.catalogue.naming import EXPECTED
from services.catalogue.operations import Operation
from services.catalogue.problems import VALIDATION_FAILED, FieldError, Problem
from services.queries.versions import Expected


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
    expected: Expected | None = None
    """The version that its row must have."""


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


def parse_batch(operation: Operation, data: bytes | Mapping[str, Any], most: int = MAX_ENTRIES) -> Batch:
    """Validate a batch of at most so many entries.

    Raises as `parse_input`; the paths of field errors begin with the entry's (`operations[3].create.title`). An entry
    that is not valid is a Problem, and refuses the batch if that is atomic.
    """
    try:
        # As it is: what is in the entries is looked at one by one.
        outer = _Outer.model_validate(read_json(data) if isinstance(data, bytes) else data)
    except ValidationError as error:
        raise problem_of(error) from None
    check_number(outer.operations, most)
    assert operation.input is not None
    model = operation.input.model_fields[OPERATIONS].annotation.__args__[0]  # type: ignore[union-attr]
    entries: list[Entry | Problem] = []
    faults: list[FieldError] = []
    for index, each in enumerate(outer.operations):
        entry = _entry(operation, model, each, MAX_LISTED - len(faults))
        entries.append(entry)
        if not isinstance(entry, Problem):
            continue
        is_listed = bool(entry.errors)
        if not is_listed:
            entry = entries[-1] = Problem(entry.type, entry.detail, errors=[FieldError((), "format", entry.detail)])
        if is_listed or not faults:
            faults += located(entry, OPERATIONS, index).errors
        if outer.atomic and not is_listed:  # what is wrong with the others will do
            raise Problem(VALIDATION_FAILED, errors=faults)
    if outer.atomic and faults:
        raise Problem(VALIDATION_FAILED, errors=faults)
    return Batch(outer.atomic, entries)


def check_number(entries: Any, most: int) -> None:
    """Raises `validation_failed` for more entries than so many."""
    if isinstance(entries, Sequence) and len(entries) > most:
        raise Problem.field(OPERATIONS, "length", f"This should have at most {most} entries.")


def _entry(batch: Operation, model: type[InputModel], given: Any, most: int) -> Entry | Problem:
    """The call that is given, or what is wrong with it: as many fields as are listed at most."""
    if not isinstance(given, Mapping):
        return Problem.field((), "type", "This must be an object.") if most else too_much()
    try:
        for verb, member in given.items():
            if verb in batch.entries and isinstance(member, Mapping):
                refuse_crowd(model.model_fields[verb].annotation, member)  # type: ignore[arg-type]
        parsed = parse_input(model, given, most=most)
    except Problem as problem:
        return problem
    (verb,) = parsed.model_fields_set
    data, operation = getattr(parsed, verb), batch.entries[verb]
    if not operation.on_a_row:
        return Entry(verb, operation, None, data)
    sent = {name: getattr(data, name) for name in data.model_fields_set if name not in ("id", EXPECTED)}
    plain = (operation.input or InputModel).model_construct(_fields_set=set(sent), **{**_absent(operation), **sent})
    return Entry(verb, operation, data.id, plain, Expected.version(getattr(data, EXPECTED)))


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
