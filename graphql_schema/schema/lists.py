"""Creates Relay connections and the arguments of lists: pages, filters, orders, search."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import cache
from typing import Any, Final

from graphql_schema.schema.building import (
    Argument,
    annotation,
    attribute,
    described_enum,
    field,
    input_type,
    list_of,
    nullable,
    object_type,
)
from services.catalogue import Problem
from services.catalogue.deprecation import deprecations_of
from services.catalogue.naming import camel, pascal
from services.catalogue.resources import Resource
from services.catalogue.scalars import FieldType, Operator, coerce_integer
from services.queries.limits import Limits
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

PAGE_SIZES: Final = ("first", "last")

_GRAPHQL_NAMES: Mapping[str | int, str] = {"sort": "order_by", "q": "search"}
"""The list arguments that have another name in GraphQL than in the services."""


def _cursor(page: Page, index: int) -> str | None:
    return page.cursors[index] if page.cursors else None


_PAGE_INFO: Final = object_type("PageInfo", "Where a page stands in its list (Relay).", [
    attribute("has_next_page", bool, "Whether there are more behind the page.", lambda page: page.has_next),
    attribute("has_previous_page", bool, "Whether there are some before the page.", lambda page: page.has_previous),
    attribute("start_cursor", nullable(str), "The cursor of the first edge.", lambda page: _cursor(page, 0)),
    attribute("end_cursor", nullable(str), "The cursor of the last edge.", lambda page: _cursor(page, -1)),
])  # fmt: skip


class OrderDirection(Enum):
    """Ascending or descending."""

    ASC = "ascending"
    DESC = "descending"


described_enum(OrderDirection, "Which way a list is sorted. Nulls count as greater than any value.")


@dataclass(slots=True)
class ConnectionValue:
    """The value of a connection: its page, and a function that counts the whole list."""

    page: Page
    nodes: list[Any]
    total: Callable[[], Awaitable[int]]

    @property
    def edges(self) -> list[tuple[str, Any]]:
        """The nodes with their cursors."""
        return list(zip(self.page.cursors, self.nodes, strict=True))


def connection_type(resource: Resource[Any], node: Any) -> Any:
    """Return `ItemConnection`, with its `ItemEdge`. `node` is the resource's type."""
    name = pascal(resource.name)
    edge_fields = [
        attribute("cursor", str, "The place of the edge in the list.", lambda edge: edge[0]),
        attribute("node", node, f"The {resource.noun}.", lambda edge: edge[1]),
    ]
    edge = object_type(f"{name}Edge", f"One {resource.noun} in a list.", edge_fields)
    fields = [
        attribute("edges", list_of(edge), "The rows of the page with their cursors.", lambda value: value.edges),
        attribute("nodes", list_of(node), "The rows of the page.", lambda value: value.nodes),
        attribute("page_info", _PAGE_INFO, "Where the page stands in the list.", lambda value: value.page),
        field("total_count", int, "The size of the whole list.", lambda value, *_: value.total()),
    ]
    return object_type(f"{name}Connection", f"A page of {resource.nouns}.", fields)


def list_parameters(resource: Resource[Any], limits: Limits) -> tuple[Argument, ...]:
    """Return the arguments of a list of the resource."""
    most, usual = limits.MAX_PAGE_SIZE, limits.usual_page
    arguments = [
        Argument("first", int, f"How many at most, from the start: 1 to {most}, {usual} if left out."),
        Argument("after", str, "A cursor: only what is behind it."),
        Argument("last", int, f"How many at most, from the end (as `before` alone means it): 1 to {most}."),
        Argument("before", str, "A cursor: only what is before it."),
        Argument("filter", filter_type(resource), "Which rows to list."),
        Argument("order_by", list_of(order_type(resource)), "How to sort; newest first if left out."),
    ]
    if resource.search:
        arguments.append(Argument("search", str, f"Words to search for in {' and '.join(resource.search)}."))
    return tuple(arguments)


def parse_list_arguments(resource: Resource[Any], values: Mapping[str, Any], limits: Limits) -> ListArguments:
    """Validate the arguments of a list field. Raises `validation_failed` naming the invalid argument."""
    data = {
        **{name: values.get(name) for name in ("first", "after", "last", "before", "filter")},
        "sort": [_sort_key(order) for order in values.get("order_by") or []],
        "q": values.get("search"),
    }
    try:
        return list_arguments(resource, data, limits)
    except Problem as problem:
        problem.errors = tuple(replace(error, path=_graphql_path(error.path)) for error in problem.errors)
        raise


def rows_asked(values: Mapping[str, Any], limits: Limits) -> int:
    """Return the size of the page that the arguments ask for, or an upper bound if they are invalid."""
    sizes = [size for name in PAGE_SIZES if isinstance(size := coerce_integer(values.get(name)), int)]
    return min(max(1, *sizes), limits.MAX_PAGE_SIZE) if sizes else limits.usual_page


def _sort_key(order: Mapping[str, Any]) -> str:
    sign = "-" if order.get("direction") == OrderDirection.DESC.value else ""
    return f"{sign}{order['field']}"


def _graphql_path(path: tuple[str | int, ...]) -> tuple[str | int, ...]:
    return (_GRAPHQL_NAMES.get(path[0], path[0]), *path[1:]) if path else ()


@cache
def filter_type(resource: Resource[Any]) -> Any:
    """Return `ItemFilter`: conditions by field, and `and`, `or`, `not`."""
    name = f"{pascal(resource.name)}Filter"
    deprecated = deprecations_of(resource.read)
    members = []
    for each in resource.filters:
        conditions = _condition_type(replace(resource.fields[each], identifier=None))
        about = f"Conditions on `{camel(each)}`."
        members.append(Argument(each, conditions, about, deprecated=deprecated.get(each)))
    cls = type(name, (), {})
    members += [
        Argument("and", list_of(cls), "All of these hold."),
        Argument("or", list_of(cls), "At least one of these holds."),
        Argument("not", cls, "This does not hold."),
    ]
    return input_type(name, f"Which {resource.nouns} to list; all entries must hold.", members, cls)


@cache
def order_type(resource: Resource[Any]) -> Any:
    """Return `ItemOrder`: a field and a direction."""
    name = pascal(resource.name)
    names = {field.upper(): field for field in (*resource.sorts, "id")}
    enum = Enum(f"{name}OrderField", names)  # type: ignore[misc]
    fields = described_enum(enum, f"What {resource.nouns} can be sorted by.")
    deprecated = deprecations_of(resource.read)
    for member in fields.__strawberry_definition__.values:
        if member.value in deprecated:
            member.deprecation_reason = deprecated[member.value].reason
    members = [
        Argument("field", fields, "What to sort by.", required=True),
        Argument("direction", OrderDirection, "Which way; ascending if left out."),
    ]
    return input_type(f"{name}Order", f"How to sort {resource.nouns}.", members)


@cache
def _condition_type(kind: FieldType) -> Any:
    assert kind.scalar is not None
    of = kind.enum.__name__ if kind.enum is not None else kind.scalar.graphql
    name = f"{'Nullable' if kind.nullable else ''}{of}Filter"
    single = annotation(replace(kind, nullable=False))
    types = {Operator.IN: list_of(single), Operator.NOT_IN: list_of(single), Operator.IS_NULL: bool}
    members = [Argument(operator.value, types.get(operator, single), _WORDS[operator]) for operator in kind.operators]
    return input_type(name, "Conditions on one field, one at least; all of them must hold.", members)
