"""What a request costs, in points, known before anything of it runs: the one formula of both faces.

    cost = the weight of every called operation (`Operation.cost`)
         + for every list: the rows asked for x its depth
         + for every to-one relation: a row for each row that it is followed from, at the depth of these
         + for every batch: the weights of its entries, and their rows as a list

The rows asked for are a page's size times the sizes of the lists above it; the depth is the number of lists from the
root to it, itself included. A list that is to be counted as a whole is asked for `COUNTED_ROWS` more. `node` and
`nodes` weigh `NODE_WEIGHT`, and nothing costs less than `MINIMUM`. docs/budget.md goes through an example.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from services.catalogue.operations import Operation
from services.queries.lists import ListArguments
from services.queries.selections import (
    About,
    Listing,
    ListRoot,
    Many,
    NodesRoot,
    One,
    Query,
    RowRoot,
    Selection,
    facts_of,
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
    """What costs of a list: where its size is found, and what each of its rows asks for besides."""

    slot: int
    own: int
    """Points of each row: its depth, and the to-one relations that are followed from it."""
    counted: int
    """Points of each list, whatever its size."""
    below: tuple[PageCost, ...]


@dataclass(frozen=True, slots=True)
class QueryCost:
    """What a query costs besides the weights of its operations, but for the sizes of its lists."""

    fixed: int
    pages: tuple[PageCost, ...]

    @property
    def slots(self) -> set[int]:
        """The slots whose inputs matter."""
        return set(_slots(self.pages))

    def points(self, inputs: Sequence[Any]) -> int:
        """For the inputs of one call: list arguments and identifiers, as they are or bound (storage/shapes.py)."""
        points = self.fixed
        for page in self.pages:
            points += _page_points(page, inputs)
        return points


def query_cost(query: Query) -> QueryCost:
    """The costs of a query, found once."""
    if query.cost is None:
        fixed, pages = 0, list[PageCost]()
        for root in query.roots:
            if isinstance(root, ListRoot):
                pages.append(page_cost(root.slot, root.listing, 1))
            elif isinstance(root, RowRoot):
                own, below = _row(root.selection, 0)
                fixed += own
                pages += below
            elif isinstance(root, NodesRoot):
                pages.append(_nodes(root))
        object.__setattr__(query, "cost", QueryCost(fixed, tuple(pages)))
    found: QueryCost = query.cost
    return found


def write_cost(operation: Operation, shown: Query | None, inputs: Sequence[Any], entries: int | None = None) -> int:
    """What a write costs, with what is shown of its row; `inputs` are those of the slots behind the row's key.

    A batch costs what its entries cost (`entries` is their number), and shows their rows as a list.
    """
    rows = (_A_KEY if entries is None else range(entries), *inputs)
    weight = operation.cost if entries is None else batch_weight(operation, entries)
    return weight + (query_cost(shown).points(rows) if shown is not None else 0)


def batch_weight(operation: Operation, entries: int) -> int:
    """The weight of a batch of so many entries, whichever these are."""
    return operation.cost + entries * max(each.cost for each in operation.entries.values())


def hop_points(depth: int) -> int:
    """Points of a to-one relation that is followed from one row at a depth."""
    return max(depth, 1)


def page_cost(slot: int, listing: Listing, depth: int) -> PageCost:
    """The costs of one list at a depth."""
    own, below = depth, list[PageCost]()
    for selection in selections_of(listing):
        more, pages = _row(selection, depth)
        own += more
        below += pages
    counted = COUNTED_ROWS * depth if About.TOTAL in facts_of(listing) else 0
    return PageCost(slot, own, counted, tuple(below))


def _nodes(root: NodesRoot) -> PageCost:
    """`node` finds one row, at no depth; `nodes` are a list."""
    depth = 1 if root.many else 0
    own, below = depth, list[PageCost]()
    for _, selection in root.selections:
        more, pages = _row(selection, depth)
        own += more
        below += pages
    return PageCost(root.slot, own, 0, tuple(below))


def _row(selection: Selection, depth: int) -> tuple[int, list[PageCost]]:
    """What each row at a depth costs by its to-one relations, and the lists below it."""
    own, pages = 0, list[PageCost]()
    for member in selection.members:
        if isinstance(member, One):
            more, below = _row(member.selection, depth)
            own += hop_points(depth) + more
            pages += below
        elif isinstance(member, Many):
            pages.append(page_cost(member.slot, member.listing, depth + 1))
    return own, pages


def _page_points(page: PageCost, inputs: Sequence[Any]) -> int:
    found = inputs[page.slot]
    # As it is bound, a list keeps its arguments, and identifiers are its nodes.
    arguments = found if type(found) is ListArguments else getattr(found, "arguments", None)
    rows = arguments.limit if arguments is not None else len(getattr(found, "nodes", found))
    each = page.own
    for below in page.below:
        each += _page_points(below, inputs)
    return int(page.counted + rows * each)


def _slots(pages: Sequence[PageCost]) -> Iterator[int]:
    for page in pages:
        yield page.slot
        yield from _slots(page.below)
