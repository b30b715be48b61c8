"""How lists are asked for: pages, orders, filters and searches, right ones and wrong ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gateway.parity.cases.case import Case
from gateway.parity.cases.writing import written_operands
from gateway.parity.world.values import NOTHING
from gateway.parity.world.world import FOREIGN, SHARED, World
from services.catalogue import Operation
from services.catalogue.resources import Resource
from services.catalogue.scalars import Operator
from services.queries.cursors import Order

Arguments = dict[str, Any]


def list_cases(world: World, operation: Operation) -> Iterator[Case]:
    """Every case of a list operation."""
    resource = operation.resource
    assert resource is not None
    needs = (operation.scope,) if operation.scope else ()
    yield Case("list", arguments={"limit": 100}, needs=needs, recorded=True)
    for named in (_pages, _orders, _filters, _wrong):
        for name, arguments in named(world, resource):
            yield Case(name, arguments=arguments)
    for name, arguments in (*_written(resource), *_empty(resource)):
        yield Case(name, arguments=arguments, is_written=True)


def _cursor(world: World, resource: Resource[Any]) -> str:
    """A cursor of another list."""
    other = next(each for each in world.catalogue.resources.values() if each is not resource)
    return world.cursors.sign(other, [Order("id", descending=True)], [f"{other.prefix}_{NOTHING}"])


def _pages(world: World, resource: Resource[Any]) -> Iterator[tuple[str, Arguments]]:
    yield "default", {}
    yield "a page of one, counted", {"limit": 1, "count": True}
    row = world.row(resource, SHARED)
    if row is not None:
        after = world.cursors.encode(resource, [Order("id", descending=True)], [row.key])
        yield "a page behind a cursor", {"after": after, "limit": 2}
        yield "a page before a cursor", {"before": after, "limit": 2}
        yield "a page between two cursors", {"after": after, "before": after, "limit": 2}


def _orders(world: World, resource: Resource[Any]) -> Iterator[tuple[str, Arguments]]:
    for name in resource.sorts:
        yield f"sorted by {name}", {"sort": [f"-{name}"], "limit": 3, "count": True}
    if resource.sorts:
        yield "sorted upwards", {"sort": list(resource.sorts[:3]), "limit": 3}


def _filters(world: World, resource: Resource[Any]) -> Iterator[tuple[str, Arguments]]:
    row = world.row(resource, SHARED) or world.row(resource, FOREIGN)
    for name in resource.filters if row is not None else ():
        value = row.values[name] if row is not None else None
        condition = {"eq": value} if value is not None else {"is_null": True}
        if Operator(next(iter(condition))) in resource.fields[name].operators:
            yield f"filtered by {name}", {"filter": {name: condition}, "count": True}
    if resource.filters:
        yield "an empty filter", {"filter": {}, "limit": 2}
    if resource.search and row is not None:
        word = str(row.values.get(resource.search[0]) or "word").split()[-1]
        yield "searched", {"q": word, "count": True}


def _written(resource: Resource[Any]) -> Iterator[tuple[str, Arguments]]:
    """Values in other forms than usual."""
    for limit in (2.0, 2.5, 101.0, True):
        yield f"limit {limit}", {"limit": limit}
    # Of each type one field, and by turns alone and in a list: what is done with a type is the same for all fields.
    by_type = {resource.fields[name].python: name for name in reversed(resource.filters)}
    for name in by_type.values():
        can_list = Operator.IN in resource.fields[name].operators
        for place, (form, value) in enumerate(written_operands(resource.fields[name])):
            condition = {"in": [value]} if can_list and place % 2 else {"eq": value}
            yield f"filtered by {name}, written: {form}", {"filter": {name: condition}, "count": True}


def _empty(resource: Resource[Any]) -> Iterator[tuple[str, Arguments]]:
    """Filters that ask for nothing, or for nothing in a place."""
    nothing: list[Any] = [{}, {"and": []}, {"and": [{}]}, {"or": []}, {"or": [{}]}, {"not": {}}, {"not": {"or": []}}]
    for name in resource.filters[:1]:
        asked = {name: {"is_null" if "is_null" in resource.fields[name].operators else "ne": None}}
        nothing += [{name: {}}, {"and": [{name: {}}]}, {"or": [asked]}, {name: {"eq": None}}]
        if Operator.IN in resource.fields[name].operators:
            nothing += [{name: {"in": []}}, {name: {"in": [None]}}, {"not": {name: {"not_in": []}}}]
    for each in nothing:
        yield f"filter {each}", {"filter": each, "count": True}


def _wrong(world: World, resource: Resource[Any]) -> Iterator[tuple[str, Arguments]]:
    yield "limit 0", {"limit": 0}
    yield "limit 101", {"limit": 101}
    yield "an unknown order", {"sort": ["nonsense"]}
    yield "an unknown filter", {"filter": {"nonsense": {"eq": 1}}}
    yield "a garbage cursor", {"after": "garbage"}
    yield "a foreign cursor", {"after": _cursor(world, resource)}
    yield "a foreign cursor to end at", {"before": _cursor(world, resource)}
    for name in resource.filters[:1]:
        yield "an unknown operator", {"filter": {name: {"nonsense": 1}}}
        yield "a wrong value", {"filter": {name: {"eq": {"a": 1}}}}
