"""The inputs of batches: entries that are valid on rows of all kinds, and invalid ones."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from gateway.parity.cases.case import Case
from gateway.parity.cases.writing import written
from gateway.parity.world.values import NOTHING, fields, filled
from gateway.parity.world.world import FOREIGN, SHARED, World, resource_of
from services.catalogue import Operation
from services.catalogue.batches import MAX_ENTRIES

_SALTS: Final = ("first", "second")


def batch_cases(world: World, operation: Operation, needs: tuple[str, ...]) -> Iterator[Case]:
    """Yield all inputs of a batch, each as one transaction and entry by entry."""
    for atomic, name in ((True, "at once"), (False, "one by one")):
        valid = [entry for salt in _SALTS for entry in _entries(world, operation, SHARED, salt)]
        foreign = _entries(world, operation, FOREIGN, "foreign")
        missing = [
            {verb: {**data, "id": f"{data['id'].partition('_')[0]}_{NOTHING}"}}
            for entry in valid[:3]
            for verb, data in entry.items()
            if "id" in data
        ]
        deletions = [entry for entry in valid if "delete" in entry]
        two_verbs = [{**valid[0], **valid[-1]}] if len(operation.entries) > 1 else []
        yield _case(f"valid, {name}", atomic, valid[:3], needs=needs, recorded=True)
        yield _case(f"elsewhere, {name}", atomic, foreign, recorded=True)
        yield _case(f"rows that are not there, {name}", atomic, [valid[0], *missing], recorded=True)
        yield _case(f"a row deleted twice, {name}", atomic, deletions * 2)
        # In GraphQL an entry of a wrong type refuses the batch, atomic or not.
        for kind, entry in _written(world, operation, valid) if atomic else ():
            yield _case(f"written: {kind}, {name}", atomic, [valid[0], entry], is_written=True)
        for kind, entries in (("nothing", [{}]), ("two things", two_verbs), ("too many", [{}] * (MAX_ENTRIES + 1))):
            yield _case(f"{kind}, {name}", atomic, entries)


def _written(world: World, operation: Operation, valid: list[Any]) -> Iterator[tuple[str, Any]]:
    """Yield the first entry with other notations of its numbers, booleans and instants."""
    (verb, data), *_ = valid[0].items()
    for field in fields(operation.entries[verb]):
        if field.kind.python in (int, bool, datetime):
            for kind, value in written(field, _SALTS[0], world.reference):
                yield f"{field.name}: {kind}", {verb: {**data, field.name: value}}


def _case(name: str, atomic: bool, entries: list[Any], **options: Any) -> Case:
    return Case(name, data={"atomic": atomic, "operations": entries}, **options)


def _entries(world: World, operation: Operation, place: str, salt: str) -> list[dict[str, Any]]:
    """Return one entry for each verb, on the row of this place."""
    row, entries = world.row(resource_of(operation), place), []
    for verb, entry in operation.entries.items():
        data = filled(world, entry, salt, place) if entry.input is not None else {}
        if entry.on_a_row:
            assert row is not None
            data["id"] = row.id
        entries.append({verb: data})
    return entries
