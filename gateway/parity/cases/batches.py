"""What batches are called with: entries that are valid on rows of all kinds, and entries that are not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from gateway.parity.cases.case import Case
from gateway.parity.cases.writing import written
from gateway.parity.world.filling import fields, filled
from gateway.parity.world.values import NOTHING
from gateway.parity.world.world import FOREIGN, SHARED, World
from services.catalogue import Operation
from services.catalogue.batches import MAX_ENTRIES

_SALTS: Final = ("first", "second")


def batch_cases(world: World, operation: Operation) -> Iterator[Case]:
    """All inputs of a batch, each of which is tried as one transaction, and entry by entry."""
    own = (operation.scope,) if operation.scope else ()
    for atomic, name in ((True, "at once"), (False, "one by one")):
        valid = [entry for salt in _SALTS for entry in _entries(world, operation, SHARED, salt)]
        foreign = _entries(world, operation, FOREIGN, "foreign")
        missing = [
            {verb: {**entry[verb], "id": f"{entry[verb]['id'].partition('_')[0]}_{NOTHING}"}}
            for entry in valid[:3]
            for verb in entry
            if "id" in entry[verb]
        ]
        of_two = [{**valid[0], **valid[-1]}] if len(operation.entries) > 1 else []
        yield _case(f"valid, {name}", atomic, valid[:3], needs=own, recorded=True)
        yield _case(f"elsewhere, {name}", atomic, foreign, recorded=True)
        yield _case(f"rows that are not there, {name}", atomic, [valid[0], *missing], recorded=True)
        yield _case(f"a row deleted twice, {name}", atomic, [each for each in [*valid, *valid] if "delete" in each])
        # Of a wrong type, an entry refuses a batch of any kind in GraphQL.
        for kind, entry in _written(world, operation, valid) if atomic else ():
            yield _case(f"written: {kind}, {name}", atomic, [valid[0], entry], is_written=True)
        for kind, entries in (("nothing", [{}]), ("two things", of_two), ("too many", [{}] * (MAX_ENTRIES + 1))):
            yield _case(f"{kind}, {name}", atomic, entries)


def _written(world: World, operation: Operation, valid: list[Any]) -> Iterator[tuple[str, Any]]:
    """The first entry, with a number, an instant and the like in other forms than usual."""
    (verb, data), *_ = valid[0].items()
    for each in fields(operation.entries[verb]):
        if each.kind.python in (int, bool, datetime):
            for kind, value in written(each, _SALTS[0], lambda prefix: world.reference(prefix, SHARED)):
                yield f"{each.name}: {kind}", {verb: {**data, each.name: value}}


def _case(name: str, atomic: bool, entries: list[Any], **options: Any) -> Case:
    return Case(name, data={"atomic": atomic, "operations": entries}, **options)


def _entries(world: World, operation: Operation, place: str, salt: str) -> list[dict[str, Any]]:
    """One entry of each kind, on the row of this place."""
    assert operation.resource is not None
    row, found = world.row(operation.resource, place), []
    for verb, each in operation.entries.items():
        data = filled(world, each, salt, place) if each.input is not None else {}
        if each.on_a_row:
            assert row is not None
            data["id"] = row.id
        found.append({verb: data})
    return found
