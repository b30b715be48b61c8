"""Layout of an answer: the places of its parts in the one row of a read, as the statement's builder lays them out.

The row is a sequence of arrays. A level's arrays have an entry per row of the level; the arrays of counts have one per
parent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from services.catalogue.resources import Resource
from services.catalogue.scalars import FieldType
from services.queries.cursors import SortTerm
from services.queries.selections import (
    Constant,
    Cursor,
    Edges,
    Listing,
    One,
    PageProperty,
    Selection,
    Tag,
    Value,
    page_properties_of,
    selections_of,
)

_BEHIND: Final = frozenset({PageProperty.HAS_NEXT, PageProperty.NEXT})
_BEFORE: Final = frozenset({PageProperty.HAS_PREVIOUS, PageProperty.PREVIOUS})
_CURSORS: Final = frozenset({PageProperty.START, PageProperty.END, PageProperty.NEXT, PageProperty.PREVIOUS})


@dataclass(frozen=True, slots=True)
class Column:
    """An array of a level, by its place in the row, and the type of its values."""

    place: int
    kind: FieldType
    by_name: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class TagLayout:
    """The entity tag of each row of a level, a digest of all its fields; null where the array at `present` is.

    The same object is used wherever the tag of the same rows is shown, so that it is computed once.
    """

    fields: Sequence[tuple[str, Column]]
    present: int | None


@dataclass(slots=True)
class ObjectLayout:
    """An object for each row of a level; null where the array at `present` is."""

    members: list[tuple[str, Constant | Column | TagLayout | ObjectLayout | PageLayout]]
    present: int | None = None


@dataclass(slots=True)
class PageLayout:
    """A page for each parent, or the only page of a top-level list (`parent` is None).

    `rows` is the place of any array of the level. `parents` is the place of the array of the parents' keys in it,
    `parent` that of the same keys in the level above. `cursor` holds the columns of the order. `size` is the place of
    the list's size or, below another level, of the array of sizes, and `sized` that of the array of the parents' keys
    of these sizes.

    `backward` determines at which end the arrays may have one row more than the page, `inside` whether there are rows
    beyond its other end (both as in ListArguments). `objects` are those shown of each row, in the listing's order.
    """

    resource: Resource[Any]
    order: Sequence[SortTerm]
    slot: int
    backward: bool
    inside: bool
    listing: Listing
    objects: list[ObjectLayout] = field(default_factory=list)
    rows: int | None = None
    parents: int | None = None
    parent: int | None = None
    cursor: Sequence[Column] = ()
    size: int | None = None
    sized: int | None = None

    @property
    def facts(self) -> set[PageProperty]:
        return page_properties_of(self.listing)

    @property
    def looks_ahead(self) -> bool:
        """Whether the page shows if the list continues in the direction of reading."""
        return bool(self.facts & (_BEFORE if self.backward else _BEHIND))

    @property
    def depends_on_rows(self) -> bool:
        """Whether the page is computed from its rows instead of merely containing them."""
        known = {PageProperty.TOTAL, PageProperty.HAS_NEXT if self.backward else PageProperty.HAS_PREVIOUS}
        return len(self.objects) != 1 or bool(self.cursor) or bool(self.facts - known)

    @property
    def has_edge_cursors(self) -> bool:
        edges = (part for part in self.listing if isinstance(part, Edges))
        return any(isinstance(member, Cursor) for part in edges for member in part.members)

    @property
    def shows_cursors(self) -> bool:
        return self.has_edge_cursors or bool(self.facts & _CURSORS)

    @property
    def fields(self) -> list[str]:
        """The fields that the page must select; none if nothing depends on its rows."""
        selections = selections_of(self.listing)
        has_edges = any(isinstance(part, Edges) for part in self.listing)
        if not selections and not has_edges and self.facts <= {PageProperty.TOTAL}:
            return []
        return list(dict.fromkeys([*selected_fields(self.resource, selections), *(term.field for term in self.order)]))

    @property
    def is_aligned(self) -> bool:
        """Whether the page's rows are those of the arrays, so that cursors can be made from the arrays."""
        return self.parent is None and not self.has_edge_cursors


@dataclass(frozen=True, slots=True)
class RowLayout:
    """One row or null. `rows` is the place of one of its level's arrays, or None if the row of the read is this row."""

    row: ObjectLayout
    rows: int | None


@dataclass(frozen=True, slots=True)
class NodesLayout:
    """Rows of several resources: for each resource of the slot's shape the array of keys, and the rows."""

    many: bool
    slot: int
    found: Sequence[tuple[int, ObjectLayout]]


RootLayout = Constant | PageLayout | RowLayout | NodesLayout


def selected_fields(resource: Resource[Any], selections: Iterable[Selection]) -> list[str]:
    """Return the fields that a page must have for these selections of its rows."""
    fields = {"id": None}
    for selection in selections:
        for member in selection.members:
            if isinstance(member, Value):
                fields[member.field] = None
            elif isinstance(member, Tag):
                fields |= dict.fromkeys(resource.fields)
            elif isinstance(member, One):
                fields[member.relation.local] = None
    return list(fields)
