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

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from services.catalogue.operations import Operation
from services.catalogue.problems import TOO_COMPLEX, Problem
from services.queries.limits import MAX_ROWS
from services.queries.lists import ListArguments
from services.queries.selections import (
    ListRoot,
    Many,
    Member,
    NodesRoot,
    One,
    PageProperty,
    Part,
    Query,
    RowRoot,
    members_below,
    page_properties_of,
)

MINIMUM: Final = 1
"""Points of whatever is asked, and of a dry run."""
NODE_WEIGHT: Final = 1
COUNTED_ROWS: Final = 20
"""What the size of a whole list counts as: PostgreSQL reads all of it, however small the page."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a row, or a whole query, comes to, but for the sizes of the lists in it and the weights of operations."""

    rows: int
    """A row itself, and those of the to-one relations that are followed from it."""
    points: int
    lists: tuple[ListCost, ...]

    def weigh(self, inputs: Sequence[Any]) -> tuple[int, int]:
        """The rows that it may have to hold, were every list full, and its points, for the inputs of one call.

        These are list arguments and identifiers, as they are or bound (services/reader/shapes.py), or whatever has as
        many entries as there may be rows.
        """
        rows, points = self.rows, self.points
        for each in self.lists:
            # As it is bound, a list keeps its arguments, and identifiers are its nodes.
            found = inputs[each.slot]
            arguments = found if type(found) is ListArguments else getattr(found, "arguments", None)
            size = arguments.limit if arguments is not None else len(getattr(found, "nodes", found))
            more, cost = each.row.weigh(inputs)
            rows += size * more
            points += each.counted + size * cost
        return rows, points


@dataclass(frozen=True, slots=True)
class ListCost:
    """What one list comes to: where its size is found, and what each of its rows asks for."""

    slot: int
    row: Cost
    counted: int = 0
    """Points of the list, whatever its size."""


def query_cost(query: Query) -> Cost:
    """What a query comes to, found once."""
    if query.cost is None:
        object.__setattr__(query, "cost", _cost(query.roots, depth=0))
    found: Cost = query.cost
    return found


def _cost(parts: Iterable[Part | Member], depth: int, *, rows: int = 0, points: int = 0) -> Cost:
    """What these parts come to at a depth, with the rows and points of the row that they are of."""
    lists: list[ListCost] = []
    for part in parts:
        below = members_below(part)
        if isinstance(part, (One, RowRoot)):
            followed = _cost(below, depth, rows=1, points=hop_points(depth) if isinstance(part, One) else 0)
            rows += followed.rows
            points += followed.points
            lists += followed.lists
        elif isinstance(part, (Many, ListRoot)):
            row = _cost(below, depth + 1, rows=1, points=depth + 1)
            is_counted = PageProperty.TOTAL in page_properties_of(part.listing)
            lists.append(ListCost(part.slot, row, COUNTED_ROWS * (depth + 1) if is_counted else 0))
        elif isinstance(part, NodesRoot):  # `node` finds one row, at no depth; `nodes` are a list
            lists.append(ListCost(part.slot, _cost(below, int(part.many), rows=1, points=int(part.many))))
    return Cost(rows, points, tuple(lists))


def price(query: Query, inputs: Sequence[Any], most: int) -> int:
    """What a query costs, with the operations that it calls. Raises as `check_rows`, were every list full."""
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
    keys = range(1 if entries is None else entries)
    rows, points = query_cost(shown).weigh((keys, *inputs)) if shown is not None else (0, 0)
    return rows, points + (operation.cost if entries is None else batch_weight(operation, entries))


def batch_weight(operation: Operation, entries: int) -> int:
    """The weight of a batch of so many entries, whichever these are."""
    return operation.cost + entries * max(each.cost for each in operation.entries.values())


def hop_points(depth: int) -> int:
    """Points of a to-one relation that is followed from one row at a depth."""
    return max(depth, 1)
