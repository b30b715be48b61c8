"""Where the parts of an answer are found in the one row of a read: what the statement's builder tells the assembler.

The row is a sequence of arrays. A level's arrays have an entry per row of the level; the arrays of counts one per
parent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from services.catalogue.resources import Resource
from services.catalogue.scalars import FieldType
from services.queries.cursors import Order
from services.queries.selections import About, Constant

_BEHIND: Final = frozenset({About.HAS_NEXT, About.NEXT})
_BEFORE: Final = frozenset({About.HAS_PREVIOUS, About.PREVIOUS})


@dataclass(frozen=True, slots=True)
class Column:
    """A level's array, by its place in the row, and what it holds."""

    place: int
    kind: FieldType
    by_name: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class TagLayout:
    """The version of each row of a level: a digest of all its fields; null where the array at `present` is.

    The same object wherever it is shown of the same rows, so that it is made once.
    """

    fields: Sequence[tuple[str, Column]]
    present: int | None


@dataclass(slots=True)
class ObjectLayout:
    """An object for each row of a level, null where the array at `present` is."""

    members: list[tuple[str, Constant | Column | TagLayout | ObjectLayout | PageLayout]]
    present: int | None = None


@dataclass(frozen=True, slots=True)
class RowsLayout:
    """The page's rows."""

    key: str
    row: ObjectLayout


@dataclass(frozen=True, slots=True)
class EdgesLayout:
    """The page's rows, each with its cursor (None in its place) and constants."""

    key: str
    members: Sequence[tuple[str, Constant | ObjectLayout | None]]


@dataclass(frozen=True, slots=True)
class FactsLayout:
    """What is told of the page, in an object of its own or (without a key) beside its rows."""

    key: str | None
    members: Sequence[tuple[str, Constant | About]]


@dataclass(slots=True)
class PageLayout:
    """A page for each parent, or the only one of a list at the top (`parent` None).

    `rows` is any array of the level. `parents` is the array of the parents' keys in it, `parent` the array of the same
    keys in the level above. `cursor` holds the columns of the order. `size` is the list's size or, below another level,
    the array of the sizes, `sized` the array of the keys of the parents that they belong to.

    `backward` tells at which end the arrays may have a row more than the page, `inside` whether there are rows beyond
    its other end (both as of ListArguments).
    """

    resource: Resource[Any]
    order: Sequence[Order]
    slot: int
    backward: bool
    inside: bool
    parts: list[RowsLayout | EdgesLayout | FactsLayout] = field(default_factory=list)
    rows: int | None = None
    parents: int | None = None
    parent: int | None = None
    cursor: Sequence[Column] = ()
    size: int | None = None
    sized: int | None = None

    @property
    def ahead(self) -> frozenset[About]:
        """The facts that depend on whether there is another page where reading goes on."""
        return _BEFORE if self.backward else _BEHIND


@dataclass(frozen=True, slots=True)
class RowLayout:
    """One row or null; `rows` is one of its level's arrays, None where the last row has its values themselves."""

    row: ObjectLayout
    rows: int | None


@dataclass(frozen=True, slots=True)
class NodesLayout:
    """Rows of several resources: for each resource of the slot's shape the array of keys, and the rows."""

    many: bool
    slot: int
    found: Sequence[tuple[int, ObjectLayout]]


RootLayout = Constant | PageLayout | RowLayout | NodesLayout
