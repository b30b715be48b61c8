"""Relay connections, and the arguments of lists: pages, filters, orders, search."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import cache
from typing import Any

import strawberry

from graphql_schema.schema.building import (
    Argument,
    add_fields,
    annotation,
    attribute,
    described_enum,
    field,
    graphql_enum,
    input_type,
    list_of,
    plain,
)
from services.catalogue import Problem
from services.catalogue.deprecation import deprecations_of
from services.catalogue.naming import camel, pascal
from services.catalogue.resources import Resource
from services.catalogue.scalars import FieldType, Operator
from services.queries.limits import DEFAULTS, Limits
from services.queries.lists import ListArguments, Page, list_arguments

_WORDS = {
    Operator.EQ: "Is this.",
    Operator.NE: "Is not this.",
    Operator.IN: "Is one of these.",
    Operator.NOT_IN: "Is none of these.",
    Operator.GT: "Is greater than this.",
    Operator.GTE: "Is at least this.",
    Operator.LT: "Is less than this.",
    Operator.LTE: "Is at most this.",
    Operator.CONTAINS: "Contains this, without regard to case.",
    Operator.STARTS_WITH: "Starts with this, without regard to case.",
    Operator.IS_NULL: "Whether it is null.",
}

# The services' names of list arguments, as GraphQL has them.
_NAMES = {"sort": "order_by", "q": "search"}


@strawberry.type(description="Where a page stands in its list (Relay).")
class PageInfo:
    """Relay's PageInfo."""

    has_next_page: bool = strawberry.field(description="Whether there are more behind the page.")
    has_previous_page: bool = strawberry.field(description="Whether there are some before the page.")
    start_cursor: str | None = strawberry.field(description="The cursor of the first edge.")
    end_cursor: str | None = strawberry.field(description="The cursor of the last edge.")


class OrderDirection(Enum):
    """Ascending or descending."""

    ASC = "ascending"
    DESC = "descending"


described_enum(OrderDirection, "Which way a list is sorted. Nulls count as greater than any value.")


@dataclass(slots=True)
class ConnectionValue:
    """What a connection resolves from: its page, and a way to count the whole list if that is asked for."""

    page: Page
    nodes: list[Any]
    total: Callable[[], Awaitable[int]]


def connection_type(resource: Resource[Any], node: Any) -> Any:
    """`ItemConnection` with its `ItemEdge`, for a resource's type."""
    name = pascal(resource.name)
    edge = strawberry.type(
        _with_fields(f"{name}Edge", [
            attribute("cursor", str, "The place of the edge in the list.", lambda edge: edge[0]),
            attribute("node", node, f"The {resource.noun}.", lambda edge: edge[1]),
        ]),
        name=f"{name}Edge", description=f"One {resource.noun} in a list.",
    )  # fmt: skip
    fields = [
        attribute("edges", list_of(edge), "The rows of the page with their cursors.", _edges),
        attribute("nodes", list_of(node), "The rows of the page.", lambda value: value.nodes),
        attribute("page_info", PageInfo, "Where the page stands in the list.", _page_info),
        field("total_count", int, "The size of the whole list.", _total),
    ]
    return strawberry.type(
        _with_fields(f"{name}Connection", fields), name=f"{name}Connection", description=f"A page of {resource.nouns}."
    )


def list_parameters(resource: Resource[Any], limits: Limits) -> tuple[Argument, ...]:
    """The arguments of a list of the resource."""
    found = [
        Argument(
            "first", int, f"How many at most, from the start: 1 to {limits.page_size}, {limits.usual_page} if left out."
        ),
        Argument("after", str, "A cursor: only what is behind it."),
        Argument("last", int, f"How many at most, from the end (as `before` alone means it): 1 to {limits.page_size}."),
        Argument("before", str, "A cursor: only what is before it."),
        Argument("filter", filter_type(resource), "Which rows to list."),
        Argument("order_by", list_of(order_type(resource)), "How to sort; newest first if left out."),
    ]
    if resource.search:
        found.append(Argument("search", str, f"Words to search for in {' and '.join(resource.search)}."))
    return tuple(found)


def read_arguments(resource: Resource[Any], values: dict[str, Any], limits: Limits) -> ListArguments:
    """The services' list arguments of a field's arguments. Raises `validation_failed` naming the argument at fault."""
    return list_arguments_of(resource, {name: plain(value) for name, value in values.items()}, limits)


def list_arguments_of(resource: Resource[Any], values: Mapping[str, Any], limits: Limits = DEFAULTS) -> ListArguments:
    """The same of arguments that are plain data."""
    order = values.get("order_by") or []
    data = {
        "first": values.get("first"),
        "after": values.get("after"),
        "last": values.get("last"),
        "before": values.get("before"),
        "filter": values.get("filter"),
        "sort": [("-" if each.get("direction") == OrderDirection.DESC.value else "") + each["field"] for each in order],
        "q": values.get("search"),
    }
    try:
        return list_arguments(resource, data, limits)
    except Problem as problem:
        raise renamed(problem) from None


def renamed(problem: Problem) -> Problem:
    """The problem with the services' names of list arguments turned into GraphQL's."""
    problem.errors = tuple(
        replace(each, path=(_NAMES.get(str(each.path[0]), each.path[0]), *each.path[1:])) if each.path else each
        for each in problem.errors
    )
    return problem


@cache
def filter_type(resource: Resource[Any]) -> Any:
    """`ItemFilter`: conditions by field, and `and`, `or`, `not`."""
    kind = f"{pascal(resource.name)}Filter"
    deprecated = {name: each.reason for name, each in deprecations_of(resource.read).items()}
    members = [
        Argument(
            each, _condition_type(resource.fields[each]), f"Conditions on `{camel(each)}`.",
            deprecated=deprecated.get(each),
        )
        for each in resource.filters
    ]  # fmt: skip
    itself = type(kind, (), {})
    members += [
        Argument("and", list_of(itself), "All of these hold."),
        Argument("or", list_of(itself), "At least one of these holds."),
        Argument("not", itself, "This does not hold."),
    ]
    return input_type(kind, f"Which {resource.nouns} to list; all entries must hold.", members, itself)


@cache
def order_type(resource: Resource[Any]) -> Any:
    """`ItemOrder`: a field and a direction."""
    name = pascal(resource.name)
    fields = Enum(f"{name}OrderField", {each.upper(): each for each in (*resource.sorts, "id")})  # type: ignore[misc]
    kind = described_enum(fields, f"What {resource.nouns} can be sorted by.")
    deprecated = deprecations_of(resource.read)
    for value in kind.__strawberry_definition__.values:
        if str(value.value) in deprecated:
            value.deprecation_reason = deprecated[str(value.value)].reason
    members = [
        Argument("field", kind, "What to sort by.", required=True),
        Argument("direction", OrderDirection, "Which way; ascending if left out."),
    ]
    return input_type(f"{name}Order", f"How to sort {resource.nouns}.", members)


def _condition_type(kind: FieldType) -> Any:
    assert kind.scalar is not None
    name = kind.enum.__name__ if kind.enum is not None else kind.scalar.graphql
    if kind.enum is not None:
        graphql_enum(kind.enum)
    return _conditions(f"{'Nullable' if kind.nullable else ''}{name}Filter", replace(kind, identifier=None))


@cache
def _conditions(name: str, kind: FieldType) -> Any:
    single = annotation(replace(kind, nullable=False))
    types = {Operator.IN: list_of(single), Operator.NOT_IN: list_of(single), Operator.IS_NULL: bool}
    members = [Argument(each.value, types.get(each, single), _WORDS[each]) for each in kind.operators]
    return input_type(name, "Conditions on one field, one at least; all of them must hold.", members)


def _with_fields(name: str, fields: list[Any]) -> type:
    cls = type(name, (), {})
    add_fields(cls, fields)
    return cls


def _edges(value: ConnectionValue) -> list[tuple[str, Any]]:
    return list(zip(value.page.cursors, value.nodes, strict=True))


def _page_info(value: ConnectionValue) -> PageInfo:
    page = value.page
    first, last = (page.cursors[0], page.cursors[-1]) if page.cursors else (None, None)
    return PageInfo(
        has_next_page=page.has_next, has_previous_page=page.has_previous, start_cursor=first, end_cursor=last
    )


async def _total(value: ConnectionValue, info: Any, arguments: dict[str, Any]) -> int:
    return await value.total()
