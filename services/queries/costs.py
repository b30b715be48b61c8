"""How large a request is, and what it costs, known before anything of it runs: the one judge of both faces.

It judges the query, before a way of reading is chosen. The rows asked for, were every list full, are bounded; and

    cost = the weight of every called operation (`Operation.cost`)
         + for every list: the rows asked for x its depth
         + for every to-one relation: a row for each row that it is followed from, at the depth of these
         + for every batch: the weights of its entries, and their rows as a list

The rows asked for are a page's size times the sizes of the lists above it; the depth is the number of lists from the
root to it, itself included. A list that is to be counted as a whole is asked for `COUNTED_ROWS` more. `node` and
`nodes` weigh `NODE_WEIGHT`, and nothing costs less than `MINIMUM`. docs/budget.md goes through an example.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from services.catalogue.operations import Operation
from services.catalogue.problems import TOO_COMPLEX, Problem
from services.queries.limits import MAX_ROWS
from services.queries.lists import ListArguments
from services.queries.selections import (
    Listing,
    ListRoot,
    Many,
    NodesRoot,
    One,
    PageProperty,
    Query,
    RowRoot,
    Selection,
    page_properties_of,
    selections_of,
)

_A_KEY: Final = range(1)
"""Stands for the key of a row."""
MINIMUM: Final = 1
"""Points of whatever is asked, and of a dry run."""
NODE_WEIGHT: Final = 1
COUNTED_ROWS: Final = 20
"""What the size of a whole list counts as: PostgreSQL reads all of it, however small the page."""


@dataclass(frozen=True, slots=True)
class PageCost:
    """What one list comes to: where its size is found, and what each of its rows asks for."""

    slot: int
    rows: int
    """Rows that each of its rows stands for: itself, and those of the to-one relations that are followed from it."""
    own: int
    """Points of each row: its depth, and these relations."""
    counted: int
    """Points of each list, whatever its size."""
    below: tuple[PageCost, ...]


@dataclass(frozen=True, slots=True)
class QueryCost:
    """What a query comes to, but for the sizes of its lists and the weights of its operations."""

    rows: int
    points: int
    pages: tuple[PageCost, ...]

    def weigh(self, inputs: Sequence[Any]) -> tuple[int, int]:
        """The rows that it may have to hold, were every list full, and its points, for the inputs of one call.

        These are list arguments and identifiers, as they are or bound (services/reader/shapes.py), or whatever has as
        many entries as there may be rows.
        """
        rows, points = self.rows, self.points
        for page in self.pages:
            more, cost = _weigh(page, inputs)
            rows += more
            points += cost
        return rows, points


def query_cost(query: Query) -> QueryCost:
    """What a query comes to, found once."""
    if query.cost is None:
        rows, points, pages = 0, 0, list[PageCost]()
        for root in query.roots:
            if isinstance(root, ListRoot):
                pages.append(_page(root.slot, root.listing, 1))
            elif isinstance(root, RowRoot):
                more, own, below = _row(root.selection, 0)
                rows += 1 + more
                points += own
                pages += below
            elif isinstance(root, NodesRoot):
                pages.append(_nodes(root))
        object.__setattr__(query, "cost", QueryCost(rows, points, tuple(pages)))
    found: QueryCost = query.cost
    return found


def price(query: Query, inputs: Sequence[Any], most: int) -> int:
    """What a query costs, with the operations that it calls.

    Raises `too_complex` when it could ask for more rows than one answer may hold, were every list full.
    """
    rows, points = query_cost(query).weigh(inputs)
    check_rows(rows, most)
    return query.weight + points


def check_rows(rows: int, most: int) -> None:
    """Raises `too_complex` for more rows than one answer may hold."""
    most = min(most, MAX_ROWS)
    if rows > most:
        raise Problem(TOO_COMPLEX, f"The lists asked for could hold more than {most:,} rows.")


def weigh_write(
    operation: Operation, shown: Query | None, inputs: Sequence[Any], entries: int | None = None
) -> tuple[int, int]:
    """The rows that are shown of a write, and what it costs; `inputs` are those of the slots behind the row's key.

    A batch costs what its entries cost (`entries` is their number), and shows their rows as a list.
    """
    rows, points = (0, 0)
    if shown is not None:
        rows, points = query_cost(shown).weigh((_A_KEY if entries is None else range(entries), *inputs))
    return rows, points + (operation.cost if entries is None else batch_weight(operation, entries))


def batch_weight(operation: Operation, entries: int) -> int:
    """The weight of a batch of so many entries, whichever these are."""
    return operation.cost + entries * max(each.cost for each in operation.entries.values())


def hop_points(depth: int) -> int:
    """Points of a to-one relation that is followed from one row at a depth."""
    return max(depth, 1)


def _page(slot: int, listing: Listing, depth: int) -> PageCost:
    rows, own, below = _of_selections(selections_of(listing), depth)
    counted = COUNTED_ROWS * depth if PageProperty.TOTAL in page_properties_of(listing) else 0
    return PageCost(slot, 1 + rows, depth + own, counted, below)


def _nodes(root: NodesRoot) -> PageCost:
    """`node` finds one row, at no depth; `nodes` are a list."""
    depth = 1 if root.many else 0
    rows, own, below = _of_selections([each for _, each in root.selections], depth)
    return PageCost(root.slot, 1 + rows, depth + own, 0, below)


def _of_selections(selections: Sequence[Selection], depth: int) -> tuple[int, int, tuple[PageCost, ...]]:
    rows, own, pages = 0, 0, list[PageCost]()
    for each in selections:
        more, points, below = _row(each, depth)
        rows += more
        own += points
        pages += below
    return rows, own, tuple(pages)


def _row(selection: Selection, depth: int) -> tuple[int, int, list[PageCost]]:
    """What each row at a depth comes to: rows and points of its to-one relations, and the lists below it."""
    rows, own, pages = 0, 0, list[PageCost]()
    for member in selection.members:
        if isinstance(member, One):
            more, points, below = _row(member.selection, depth)
            rows += 1 + more
            own += hop_points(depth) + points
            pages += below
        elif isinstance(member, Many):
            pages.append(_page(member.slot, member.listing, depth + 1))
    return rows, own, pages


def _weigh(page: PageCost, inputs: Sequence[Any]) -> tuple[int, int]:
    found = inputs[page.slot]
    # As it is bound, a list keeps its arguments, and identifiers are its nodes.
    arguments = found if type(found) is ListArguments else getattr(found, "arguments", None)
    size: int = arguments.limit if arguments is not None else len(getattr(found, "nodes", found))
    rows, points = page.rows, page.own
    for below in page.below:
        more, cost = _weigh(below, inputs)
        rows += more
        points += cost
    return size * rows, page.counted + size * points
