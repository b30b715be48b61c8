"""The arguments of lists: pages, orders, filters and searches, valid and invalid."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gateway.parity.cases.case import Case
from gateway.parity.cases.writing import written_operands
from gateway.parity.world.values import NOTHING
from gateway.parity.world.world import FOREIGN, SHARED, World, resource_of
from services.catalogue import Operation
from services.catalogue.resources import Resource
from services.catalogue.scalars import Operator
from services.queries.cursors import SortTerm

Arguments = dict[str, Any]


def list_cases(world: World, operation: Operation, needs: tuple[str, ...]) -> Iterator[Case]:
    resource = resource_of(operation)
    yield Case("list", arguments={"limit": 100}, needs=needs, recorded=True)
    for name, arguments in (*_valid(world, resource), *_wrong(world, resource)):
        yield Case(name, arguments=arguments)
    for name, arguments in (*_written(resource), *_empty(resource)):
        yield Case(name, arguments=arguments, is_written=True)


def _valid(world: World, resource: Resource[Any]) -> Iterator[tuple[str, Arguments]]:
    yield "default", {}
    yield "a page of one, counted", {"limit": 1, "count": True}
    shared = world.row(resource, SHARED)
    if shared is not None:
        cursor = world.cursors.encode(resource, [SortTerm("id", descending=True)], [shared.key])
        yield "a page behind a cursor", {"after": cursor, "limit": 2}
        yield "a page before a cursor", {"before": cursor, "limit": 2}
        yield "a page between two cursors", {"after": cursor, "before": cursor, "limit": 2}
    for name in resource.sorts:
        yield f"sorted by {name}", {"sort": [f"-{name}"], "limit": 3, "count": True}
    if resource.sorts:
        yield "sorted upwards", {"sort": list(resource.sorts[:3]), "limit": 3}
    row = shared or world.row(resource, FOREIGN)
    values = row.values if row is not None else {}
    for name in resource.filters if values else ():
        operator, operand = ("eq", values[name]) if values[name] is not None else ("is_null", True)
        if Operator(operator) in resource.fields[name].operators:
            yield f"filtered by {name}", {"filter": {name: {operator: operand}}, "count": True}
    if resource.filters:
        yield "an empty filter", {"filter": {}, "limit": 2}
    if resource.search and values:
        word = str(values.get(resource.search[0]) or "word").split()[-1]
        yield "searched", {"q": word, "count": True}


def _written(resource: Resource[Any]) -> Iterator[tuple[str, Arguments]]:
    """Yield limits and operands in unusual notations."""
    for limit in (2.0, 2.5, 101.0, True):
        yield f"limit {limit}", {"limit": limit}
    # One field of each type suffices, since all fields of a type are parsed alike.
    by_type = {resource.fields[name].python: name for name in reversed(resource.filters)}
    for name in by_type.values():
        can_list = Operator.IN in resource.fields[name].operators
        for index, (form, value) in enumerate(written_operands(resource.fields[name])):
            condition = {"in": [value]} if can_list and index % 2 else {"eq": value}
            yield f"filtered by {name}, written: {form}", {"filter": {name: condition}, "count": True}


def _empty(resource: Resource[Any]) -> Iterator[tuple[str, Arguments]]:
    """Yield filters without conditions, or with empty parts."""
    filters: list[Any] = [{}, {"and": []}, {"and": [{}]}, {"or": []}, {"or": [{}]}, {"not": {}}, {"not": {"or": []}}]
    for name in resource.filters[:1]:
        null = {name: {"is_null" if "is_null" in resource.fields[name].operators else "ne": None}}
        filters += [{name: {}}, {"and": [{name: {}}]}, {"or": [null]}, {name: {"eq": None}}]
        if Operator.IN in resource.fields[name].operators:
            filters += [{name: {"in": []}}, {name: {"in": [None]}}, {"not": {name: {"not_in": []}}}]
    for empty in filters:
        yield f"filter {empty}", {"filter": empty, "count": True}


def _wrong(world: World, resource: Resource[Any]) -> Iterator[tuple[str, Arguments]]:
    other = next(listed for listed in world.catalogue.resources.values() if listed is not resource)
    foreign = world.cursors.sign(other, [SortTerm("id", descending=True)], [f"{other.prefix}_{NOTHING}"])
    yield "limit 0", {"limit": 0}
    yield "limit 101", {"limit": 101}
    yield "an unknown order", {"sort": ["nonsense"]}
    yield "an unknown filter", {"filter": {"nonsense": {"eq": 1}}}
    yield "a garbage cursor", {"after": "garbage"}
    yield "a foreign cursor", {"after": foreign}
    yield "a foreign cursor to end at", {"before": foreign}
    for name in resource.filters[:1]:
        yield "an unknown operator", {"filter": {name: {"nonsense": 1}}}
        yield "a wrong value", {"filter": {name: {"eq": {"a": 1}}}}
