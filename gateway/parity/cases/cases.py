"""The inputs of every operation: valid, at the bounds, and invalid, on rows of all kinds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from gateway.parity.cases.batches import batch_cases
from gateway.parity.cases.case import CURRENT, NO_ROW, STALE, Case
from gateway.parity.cases.lists import list_cases
from gateway.parity.cases.writing import written
from gateway.parity.world.values import NOTHING, edges, faults, fields, filled, required
from gateway.parity.world.world import EDITORS, FOREIGN, OWN, SHARED, TARGETS, World, resource_of
from services.catalogue import Catalogue, Kind, Operation

SALT: Final = "proof"
MALFORMED: Final = "nonsense"


def cases(world: World, operation: Operation) -> list[Case]:
    """Return all inputs of an operation. Raises DeclarationError for a field without a known valid value."""
    own = "open to all" if operation.scope is None else operation.scope or "any user"
    return [replace(case, scope=" ".join(case.needs) if case.include else own) for case in _cases(world, operation)]


def _cases(world: World, operation: Operation) -> Iterator[Case]:
    own = (operation.scope,) if operation.scope else ()
    if operation.kind is Kind.LIST:
        yield from list_cases(world, operation, own)
        yield from _including(world, operation, NO_ROW)
    elif operation.on_a_row:
        yield from _on_rows(world, operation, own)
    elif operation.kind is Kind.BATCH:
        yield from batch_cases(world, operation, own)
    elif operation.input is None:
        yield Case("no input", needs=own, recorded=True)
    else:
        data = filled(world, operation, SALT)
        yield Case("valid", data=data, needs=own, recorded=True)
        if any(field.prefix for field in fields(operation)):
            yield Case("valid, elsewhere", FOREIGN, data=filled(world, operation, SALT, FOREIGN), recorded=True)
        yield from _inputs(world, operation, NO_ROW, data)


def _on_rows(world: World, operation: Operation, own: tuple[str, ...]) -> Iterator[Case]:
    resource = resource_of(operation)
    data = filled(world, operation, SALT) if operation.input is not None else None
    owned = {name for name, _ in world.own}
    targets = [
        target
        for target in TARGETS
        if (resource.name in owned if target == OWN else world.row(resource, target) is not None)
    ]
    for target in targets:
        needs = own if target in (SHARED, OWN) else ()
        yield Case(f"{target} row", target, data=data, needs=needs, recorded=True)
    yield Case("id of nothing", id=f"{resource.prefix}_{NOTHING}", data=data)
    yield Case("malformed id", id=MALFORMED, data=data, needs=own)
    yield Case("id of another resource", id=_other_identifier(world.catalogue, resource.prefix), data=data)
    if targets and operation.kind is Kind.GET:
        # Other rows refer to the editor's row where there is one.
        yield from _including(world, operation, EDITORS if EDITORS in targets else SHARED)
    if targets and not operation.is_read:
        for expected in (CURRENT, STALE):
            yield Case(f"{expected} version", targets[0], data=data, expected=expected)
    if targets and data is not None:
        yield from _inputs(world, operation, targets[0], data)


def _other_identifier(catalogue: Catalogue, prefix: str) -> str:
    return f"{next(other for other in catalogue.by_prefix if other != prefix)}_{NOTHING}"


def _including(world: World, operation: Operation, target: str) -> Iterator[Case]:
    """Yield a case for every relation, once for each resource: by the operation that gets a row if there is one."""
    resource = resource_of(operation)
    is_list = operation.kind is Kind.LIST
    if is_list and world.catalogue.get_of(resource) is not None:
        return
    for relation in resource.relations.values():
        needs = tuple(dict.fromkeys((resource.read_scope, relation.target.read_scope)))
        arguments: dict[str, Any] = {"include": relation.name, **({"limit": 100} if is_list else {})}
        yield Case(f"with {relation.name}", target, arguments=arguments, needs=needs, recorded=True)


def _inputs(world: World, operation: Operation, target: str, full: Mapping[str, Any]) -> Iterator[Case]:
    """Yield a valid input with each field in turn left out, at its bounds, and wrong."""
    yield Case("only what is required", target, data=filled(world, operation, SALT, only=required(operation)))
    yield Case("an unknown field", target, data={**full, "nonsense": 1})
    for field in fields(operation):
        if field.required:
            rest = {name: value for name, value in full.items() if name != field.name}
            yield Case(f"without {field.name}", target, data=rest)
        other, unreadable = _other_identifier(world.catalogue, field.prefix), world.reference(field.prefix, FOREIGN)
        for kind, value in (*edges(field, SALT), *faults(field, other, unreadable)):
            yield Case(f"{field.name}: {kind}", target, data={**full, field.name: value})
        for kind, value in written(field, SALT, world.reference):
            data = {**full, field.name: value}
            yield Case(f"{field.name}, written: {kind}", target, data=data, is_written=True)
