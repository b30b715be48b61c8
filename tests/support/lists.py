"""Lists, walked to their end, and a plain model of what should be in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import httpx

from services.catalogue.text import fold
from services.sample.items.models import ItemStatus
from tests.support.accounts import Account
from tests.support.faces import Face
from tests.support.factories import Row

MAX_PAGES: Final = 60
STATUSES: Final = [str(each) for each in ItemStatus]

_OPERATORS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "eq": lambda value, wanted: value is not None and value == wanted,
    "ne": lambda value, wanted: value != wanted,
    "in": lambda value, wanted: value is not None and value in wanted,
    "not_in": lambda value, wanted: value is None or value not in wanted,
    "gt": lambda value, wanted: value is not None and value > wanted,
    "gte": lambda value, wanted: value is not None and value >= wanted,
    "lt": lambda value, wanted: value is not None and value < wanted,
    "lte": lambda value, wanted: value is not None and value <= wanted,
    "contains": lambda value, wanted: value is not None and fold(wanted) in fold(value),
    "starts_with": lambda value, wanted: value is not None and fold(value).startswith(fold(wanted)),
    "is_null": lambda value, wanted: (value is None) is wanted,
}


async def walk(face: Face, actor: Account, operation: str, *, limit: int, **arguments: Any) -> list[Row]:
    """Every row of a list, page by page; every page but the last is full."""
    rows: list[Row] = []
    after: str | None = None
    for _ in range(MAX_PAGES):
        found = await face.ok(operation, actor, limit=limit, after=after, **arguments)
        rows += found["data"]
        after = found["page"]["next"]
        assert found["page"]["has_next"] == (after is not None)
        if after is None:
            assert len(found["data"]) <= limit
            return rows
        assert len(found["data"]) == limit
    raise AssertionError(f"the list does not end after {MAX_PAGES} pages")


def links(answer: httpx.Response) -> dict[str, str]:
    """The addresses in a response's `Link` header (RFC 8288), by relation."""
    return {each["rel"]: each["url"] for each in answer.links.values()}


def ids(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The identifiers of rows."""
    return [row["id"] for row in rows]


def ordered(rows: Sequence[Row], sort: Sequence[str]) -> list[Row]:
    """Rows in an order: nulls as greater than any value, ties by id in the direction of the last field; a status by its
    place in the declaration.
    """
    tie = (
        []
        if any(each.removeprefix("-") == "id" for each in sort)
        else ["-id" if not sort or sort[-1][0] == "-" else "id"]
    )
    found = list(rows)
    for each in reversed([*sort, *tie]):
        name = each.removeprefix("-")
        found.sort(key=lambda row: (row[name] is None, _sort_key(name, row[name])), reverse=each[0] == "-")
    return found


def _sort_key(name: str, value: Any) -> Any:
    if value is None:
        return 0
    return STATUSES.index(value) if name == "status" else value


def matches(tree: Mapping[str, Any], row: Row) -> bool:
    """Whether a filter holds for a row."""
    return all(_entry(name, value, row) for name, value in tree.items())


def _entry(name: str, value: Any, row: Row) -> bool:
    if name == "and":
        return all(matches(each, row) for each in value)
    if name == "or":
        return any(matches(each, row) for each in value)
    if name == "not":
        return not matches(value, row)
    asked = value if isinstance(value, Mapping) else {"eq": value}
    return all(_OPERATORS[operator](row[name], wanted) for operator, wanted in asked.items())
