"""Levels in the making: what the rows of a list are selected from, and which of their columns the answer needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import CTE, ColumnElement, FromClause, Select, Subquery, Text, cast, func, select

from services.catalogue.resources import Relation, Resource
from services.catalogue.scalars import FieldType
from services.queries.selections import Many
from services.reader.layout import Column, PageLayout, TagLayout

KEY: Final = FieldType(UUID)
Field = Callable[[str], ColumnElement[Any]]
"""From a field's name to its column in a level's rows."""


@dataclass(slots=True)
class Numbers:
    """Numbers the levels of a statement, and the places in its last row."""

    levels: int = 0
    places: int = 0

    def next_level(self) -> int:
        """A level's number."""
        self.levels += 1
        return self.levels - 1

    def next_place(self) -> int:
        """A place in the last row."""
        self.places += 1
        return self.places - 1


class Frame:
    """The row of one resource within a level: where its fields are found, and what has been joined to it."""

    def __init__(self, level: Level, resource: Resource[Any], field: Field, *, own: bool) -> None:
        self.level, self.resource, self.own = level, resource, own
        self._field = field
        self._columns: dict[str, ColumnElement[Any]] = {}
        self.joined: dict[Relation, Frame] = {}
        self._tag: TagLayout | None = None

    def column(self, name: str) -> ColumnElement[Any]:
        """A field's column, the same object each time."""
        if name not in self._columns:
            self._columns[name] = self._field(name)
        return self._columns[name]

    def place(self, name: str) -> int:
        """The place of a field's array in the last row."""
        return self.level.place(self.column(name), self.resource.fields[name])

    def tag(self) -> TagLayout:
        """The row's version."""
        if self._tag is None:
            fields = [(name, Column(self.place(name), kind)) for name, kind in self.resource.fields.items()]
            self._tag = TagLayout(fields, None if self.own else self.place("id"))
        return self._tag


@dataclass(frozen=True, slots=True)
class Pending:
    """A list below a level, to be built once the level is complete."""

    member: Many
    layout: PageLayout
    key: int
    unique: bool


class Level:
    """A level in the making: what its rows are selected from, and the columns of the last row that it gives."""

    def __init__(self, numbers: Numbers, source: FromClause, *, unique: bool) -> None:
        self.numbers, self.source, self.unique = numbers, source, unique
        self.joins: list[tuple[Any, ColumnElement[bool]]] = []
        self.order: list[tuple[int, FieldType, bool]] = []
        self.columns: list[ColumnElement[Any]] = []
        self.outputs: dict[int, tuple[int, FieldType]] = {}
        """By the index of a column in the level: its place in the last row, and how to write it."""
        self.pending: list[Pending] = []

    def index(self, column: ColumnElement[Any]) -> int:
        """The index of a column, which is added if need be."""
        for index, each in enumerate(self.columns):
            if each is column:
                return index
        self.columns.append(column)
        return len(self.columns) - 1

    def place(self, column: ColumnElement[Any], kind: FieldType) -> int:
        """The place in the last row of a column's array."""
        index = self.index(column)
        if index not in self.outputs:
            self.outputs[index] = (self.numbers.next_place(), kind)
        return self.outputs[index][0]

    def rows(self) -> CTE:
        """The level itself, once all its columns are known."""
        rows = self._joined([column.label(f"c{index}") for index, column in enumerate(self.columns)])
        found = rows.cte(f"l{self.numbers.next_level()}")
        return found.prefix_with("MATERIALIZED") if self.pending else found

    def values(self) -> Select[Any]:
        """The rows themselves, as they are written."""
        return self._joined([
            written(self.columns[index], kind).label(f"p{place}") for index, (place, kind) in self.outputs.items()
        ])  # fmt: skip

    def _joined(self, columns: Sequence[ColumnElement[Any]]) -> Select[Any]:
        rows = select(*columns).select_from(self.source)
        for entity, condition in self.joins:
            rows = rows.outerjoin(entity, condition)
        return rows

    def arrays(self, rows: CTE) -> Subquery:
        """The level as one row of arrays. An order is kept only through an ordered subselect."""
        keys = [(kind.sort_key(rows.c[f"c{index}"]), descending) for index, kind, descending in self.order]
        sorts = [key.desc() if descending else key.asc() for key, descending in keys]
        inner = select(*rows.c).order_by(*sorts).subquery("r")
        arrays = [
            func.array_agg(written(inner.c[f"c{index}"], kind)).label(f"p{place}")
            for index, (place, kind) in self.outputs.items()
        ]
        return select(*arrays).select_from(inner).subquery(f"a{rows.name[1:]}")


def written(column: ColumnElement[Any], kind: FieldType) -> ColumnElement[Any]:
    """A column as the assembly takes it; a list as JSON, since arrays of unequal length make no array."""
    if kind.many:
        return cast(func.to_json(column), Text)
    return column if kind.scalar is None or kind.scalar.sql is None else kind.scalar.sql(column)
