"""What is called with: for every operation inputs that are valid, at the bounds, and invalid, on rows of all kinds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from gateway.parity.cases.batches import batch_cases
from gateway.parity.cases.case import CURRENT, NO_ROW, STALE, Case
from gateway.parity.cases.lists import list_cases
from gateway.parity.cases.writing import written
from gateway.parity.world.filling import fields, filled, required
from gateway.parity.world.values import NOTHING, Field, edges, faults
from gateway.parity.world.world import EDITORS, FOREIGN, OWN, SHARED, TARGETS, World
from services.catalogue import Catalogue, Kind, Operation
from services.catalogue.resources import Resource

SALT: Final = "proof"
MALFORMED: Final = "nonsense"


def cases(world: World, operation: Operation) -> list[Case]:
    """All inputs of an operation. Raises DeclarationError for a field of which no valid value is found."""
    own = "open to all" if operation.scope is None else operation.scope or "any user"
    return [replace(each, scope=" ".join(each.needs) if each.include else own) for each in _cases(world, operation)]


def _cases(world: World, operation: Operation) -> list[Case]:
    if operation.kind is Kind.LIST:
        return [*list_cases(world, operation), *_including(world, operation, NO_ROW)]
    if operation.on_a_row:
        return list(_on_rows(world, operation))
    if operation.kind is Kind.BATCH:
        return list(batch_cases(world, operation))
    own = (operation.scope,) if operation.scope else ()
    if operation.input is None:
        return [Case("no input", needs=own, recorded=True)]
    first = Case("valid", data=filled(world, operation, SALT), needs=own, recorded=True)
    return [first, *_elsewhere(world, operation), *_inputs(world, operation, first)]


def _elsewhere(world: World, operation: Operation) -> Iterator[Case]:
    """The same in the foreign workspace, where the input says in which."""
    if any(each.kind.identifier is not None for each in fields(operation)):
        yield Case("valid, elsewhere", FOREIGN, data=filled(world, operation, SALT, FOREIGN), recorded=True)


def _on_rows(world: World, operation: Operation) -> Iterator[Case]:
    resource = operation.resource
    assert resource is not None
    own = (operation.scope,) if operation.scope else ()
    data = filled(world, operation, SALT) if operation.input is not None else None
    targets = [each for each in TARGETS if _is_there(world, resource, each)]
    for target in targets:
        needs = own if target in (SHARED, OWN) else ()
        yield Case(f"{target} row", target, data=data, needs=needs, recorded=True)
    for name, identifier in _bad_identifiers(world.catalogue, resource):
        yield Case(name, id=identifier, data=data, needs=own if identifier == MALFORMED else ())
    if targets and operation.kind is Kind.GET:
        # What others refer to is the editor's row, where there is one.
        yield from _including(world, operation, EDITORS if EDITORS in targets else SHARED)
    if targets and not operation.is_read:
        for expected in (CURRENT, STALE):
            yield Case(f"{expected} version", targets[0], data=data, expected=expected)
    if targets and operation.input is not None:
        yield from _inputs(world, operation, Case("", targets[0], data=data))


def _is_there(world: World, resource: Resource[Any], target: str) -> bool:
    if target == OWN:
        return any(name == resource.name for name, _ in world.own)
    return world.row(resource, target) is not None


def _bad_identifiers(catalogue: Catalogue, resource: Resource[Any]) -> Iterator[tuple[str, str]]:
    yield "id of nothing", f"{resource.prefix}_{NOTHING}"
    yield "malformed id", MALFORMED
    yield "id of another resource", f"{_other_prefix(catalogue, resource.prefix)}_{NOTHING}"


def _other_prefix(catalogue: Catalogue, prefix: str) -> str:
    return next(each for each in catalogue.by_prefix if each != prefix)


def _including(world: World, operation: Operation, target: str) -> Iterator[Case]:
    """Every relation read along: once for each resource, by the operation that gets a row if there is one."""
    resource = operation.resource
    assert resource is not None
    if operation.kind is Kind.LIST and world.catalogue.get_of(resource) is not None:
        return
    for relation in resource.relations.values():
        needs = tuple(dict.fromkeys((resource.read_scope, relation.target.read_scope)))
        arguments: dict[str, Any] = {"include": relation.name}
        if operation.kind is Kind.LIST:
            arguments["limit"] = 100
        yield Case(f"with {relation.name}", target, arguments=arguments, needs=needs, recorded=True)


def _inputs(world: World, operation: Operation, whole: Case) -> Iterator[Case]:
    """The first input, field by field: left out, at its bounds, and wrong."""

    def case(name: str, data: Mapping[str, Any]) -> Case:
        return Case(name, whole.target, data=data)

    full = dict(whole.data or {})
    yield case("only what is required", filled(world, operation, SALT, only=required(operation)))
    yield case("an unknown field", {**full, "nonsense": 1})
    for each in fields(operation):
        if each.required:
            yield case(f"without {each.name}", {name: value for name, value in full.items() if name != each.name})
        for kind, value in edges(each, SALT):
            yield case(f"{each.name}: {kind}", {**full, each.name: value})
        for kind, value in _faults(world, each):
            yield case(f"{each.name}: {kind}", {**full, each.name: value})
        for kind, value in written(each, SALT, lambda prefix: world.reference(prefix, SHARED)):
            yield replace(case(f"{each.name}, written: {kind}", {**full, each.name: value}), is_written=True)


def _faults(world: World, field: Field) -> Iterator[tuple[str, Any]]:
    identifier = field.kind.identifier
    prefix = identifier.prefix if identifier is not None else ""
    other = f"{_other_prefix(world.catalogue, prefix)}_{NOTHING}"
    yield from faults(field, other, world.reference(prefix, FOREIGN) if identifier is not None else None)
