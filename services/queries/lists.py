"""Arguments of lists: page, filter, order and search, validated once for both faces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic_core import PydanticCustomError

from services.catalogue.models import check_representable
from services.catalogue.problems import Problem
from services.catalogue.resources import Resource
from services.catalogue.scalars import Operator, coerce_integer
from services.catalogue.text import nfc
from services.queries.cursors import SortTerm
from services.queries.filters import AllOf, AnyOf, Condition, Filter, parse_filter
from services.queries.limits import DEFAULTS, USUAL_PAGE, Limits
from services.queries.searching import search_query

MAX_LIMIT: Final = DEFAULTS.MAX_PAGE_SIZE
MAX_SORTS: Final = 5
MAX_SEARCH: Final = 200

Record = dict[str, Any]
"""One row of a resource: Python values by field name."""


@dataclass(frozen=True, slots=True)
class ListArguments:
    """The arguments of a list. `order` always ends with the key, so it is total.

    The page consists of the rows between the undecoded cursors `after` and `before`: the first `limit` of them or, if
    `backward`, the last. Either way it is in the list's order. For the syntax of `search` see searching.py.
    """

    order: tuple[SortTerm, ...]
    limit: int = USUAL_PAGE
    after: str | None = None
    skip: int = 0
    filter: Filter | None = None
    search: str | None = None
    before: str | None = None
    backward: bool = False

    @property
    def reading(self) -> tuple[SortTerm, ...]:
        """The order in which rows are read, the page's first: the reversed order for a backward page."""
        return tuple(term.reversed for term in self.order) if self.backward else self.order

    @property
    def is_inside(self) -> bool:
        """Whether reading begins inside the list, at a cursor or after skipped rows.

        Then there are rows on that side of the page. This is assumed: the row of a cursor may have been deleted since.
        """
        return self.before is not None if self.backward else self.after is not None or self.skip > 0

    def whole(self) -> ListArguments:
        """Return the arguments of the same list without paging, for counting it."""
        return ListArguments(self.order, filter=self.filter, search=self.search)


@dataclass(frozen=True, slots=True)
class Page:
    """A page of records, with a cursor for each."""

    records: Sequence[Record]
    cursors: Sequence[str]
    has_next: bool
    has_previous: bool


def list_arguments(resource: Resource[Any], data: Mapping[str, Any], limits: Limits = DEFAULTS) -> ListArguments:
    """Validate the arguments of a list, which both faces pass in the same plain form.

    `data` may contain `after`, `before`, `skip`, `filter` (see filters.py), `sort` (a list of `field` or `-field`),
    `q`, and the size of the page as `first`, `last` or `limit`: the first or last rows between the cursors; `limit`
    means the first unless there is only `before`. Raises `validation_failed` with the invalid argument.
    """
    order = _order(resource, data.get("sort") or [])
    after, before = data.get("after"), data.get("before")
    skip = _integer(data, "skip", 0, 0, limits.MAX_SKIP)
    if skip and (after is not None or before is not None):
        name = "after" if after is not None else "before"
        raise Problem.field("skip", "conflict", f"A list is paged by `{name}` or by `skip`, not by both.")
    size = _size_name(data)
    tree = parse_filter(resource, data["filter"], limits=limits) if data.get("filter") is not None else None
    text = _searched(resource, data.get("q"))
    search = None if text is None else search_query(text)
    if text is not None and search is None:  # without searchable words: the fields contain the text without quotes
        plain = text.strip('"').strip() or text
        contains = AnyOf(tuple(Condition(name, Operator.CONTAINS, plain) for name in resource.search))
        tree = contains if tree is None else AllOf((tree, contains))
    return ListArguments(
        order=order,
        limit=_integer(data, size, limits.usual_page, 1, limits.MAX_PAGE_SIZE),
        after=after,
        skip=skip,
        filter=tree,
        search=search,
        before=before,
        backward=size == "last" or (size == "limit" and before is not None and after is None),
    )


def _size_name(data: Mapping[str, Any]) -> str:
    """Return the argument that holds the size of the page, by default `limit`."""
    names = [name for name in ("limit", "first", "last") if data.get(name) is not None]
    if len(names) > 1:
        message = f"A page is taken from one end: by `{names[0]}` or by `{names[1]}`, not by both."
        raise Problem.field(names[-1], "conflict", message)
    return names[0] if names else "limit"


def _integer(data: Mapping[str, Any], name: str, default: int, minimum: int, maximum: int) -> int:
    value = coerce_integer(data.get(name))
    if value is None:
        return default
    if type(value) is not int:
        raise Problem.field(name, "type", "This must be an integer.")
    if not minimum <= value <= maximum:
        raise Problem.field(name, "range", f"This must be an integer from {minimum} to {maximum}.")
    return value


def _order(resource: Resource[Any], sort: Sequence[str]) -> tuple[SortTerm, ...]:
    if len(sort) > MAX_SORTS:
        raise Problem.field("sort", "length", f"A list is sorted by at most {MAX_SORTS} fields.")
    order: list[SortTerm] = []
    for index, text in enumerate(sort):
        term = SortTerm(text.removeprefix("-"), text.startswith("-"))
        if term.field not in (*resource.sorts, "id"):
            raise Problem.field(("sort", index), "choice", "The list cannot be sorted by this.")
        if any(term.field == earlier.field for earlier in order):
            raise Problem.field(("sort", index), "conflict", "The list is sorted by this field already.")
        order.append(term)
    if any(term.field == "id" for term in order):
        return tuple(order)
    # Newest first by default; a given order is made total in the direction of its last field.
    return (*order, SortTerm("id", order[-1].descending if order else True))


def _searched(resource: Resource[Any], text: Any) -> str | None:
    """Return the text to search for in NFC, or None if it is absent or blank."""
    if text is None:
        return None
    if not resource.search:
        raise Problem.field("q", "unknown", "This list cannot be searched.")
    try:
        text = check_representable(nfc(str(text)))
    except PydanticCustomError as error:
        raise Problem.field("q", "format", error.message()) from None
    if len(text) > MAX_SEARCH:
        raise Problem.field("q", "length", f"This should have at most {MAX_SEARCH} characters.")
    return text.strip() or None
