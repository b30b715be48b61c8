"""Levels under construction: the source of a list's rows, and the columns that the answer needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
"""Returns the column of a field in a level's rows."""


class RowScope:
    """The row of one resource within a level: its columns, and the rows joined to it."""

    def __init__(self, level: Level, resource: Resource[Any], field: Field, *, own: bool) -> None:
        self.level, self.resource, self.own = level, resource, own
        self._field = field
        self._columns: dict[str, ColumnElement[Any]] = {}
        self.joined: dict[Relation, RowScope] = {}
        self._tag: TagLayout | None = None

    def column(self, name: str) -> ColumnElement[Any]:
        """Return a field's column, the same object each time."""
        if name not in self._columns:
            self._columns[name] = self._field(name)
        return self._columns[name]

    def place(self, name: str) -> int:
        """Return the place of a field's array in the last row."""
        return self.level.place(self.column(name), self.resource.fields[name])

    def tag(self) -> TagLayout:
        if self._tag is None:
            fields = [(name, Column(self.place(name), kind)) for name, kind in self.resource.fields.items()]
            self._tag = TagLayout(fields, None if self.own else self.place("id"))
        return self._tag


@dataclass(frozen=True, slots=True)
class PendingList:
    """A list below a level, which is built once the level is complete."""

    member: Many
    layout: PageLayout
    key: int
    unique: bool


class Level:
    """A level under construction: its source, and its columns in the last row.

    `levels` numbers the levels of the statement, `places` the places in its last row.
    """

    def __init__(self, levels: Iterator[int], places: Iterator[int], source: FromClause, *, unique: bool) -> None:
        self.levels, self.places, self.source, self.unique = levels, places, source, unique
        self.joins: list[tuple[Any, ColumnElement[bool]]] = []
        self.order: list[tuple[int, FieldType, bool]] = []
        self.columns: list[ColumnElement[Any]] = []
        self.outputs: dict[int, tuple[int, FieldType]] = {}
        """The place in the last row, and the type, by the index of a column."""
        self.pending: list[PendingList] = []

    def index(self, column: ColumnElement[Any]) -> int:
        """Return the index of a column, adding it if necessary."""
        for index, existing in enumerate(self.columns):
            if existing is column:
                return index
        self.columns.append(column)
        return len(self.columns) - 1

    def place(self, column: ColumnElement[Any], kind: FieldType) -> int:
        """Return the place of a column's array in the last row."""
        index = self.index(column)
        if index not in self.outputs:
            self.outputs[index] = (next(self.places), kind)
        return self.outputs[index][0]

    def rows(self) -> CTE:
        """Return the level as a common table expression, once all its columns are known."""
        rows = self._joined([column.label(f"c{index}") for index, column in enumerate(self.columns)])
        cte = rows.cte(f"l{next(self.levels)}")
        return cte.prefix_with("MATERIALIZED") if self.pending else cte

    def values(self) -> Select[Any]:
        """Return the rows as values instead of arrays."""
        return self._joined([
            written(self.columns[index], kind).label(f"p{place}") for index, (place, kind) in self.outputs.items()
        ])  # fmt: skip

    def _joined(self, columns: Sequence[ColumnElement[Any]]) -> Select[Any]:
        rows = select(*columns).select_from(self.source)
        for entity, condition in self.joins:
            rows = rows.outerjoin(entity, condition)
        return rows

    def arrays(self, rows: CTE) -> Subquery:
        """Return the level as one row of arrays. An order is preserved only through an ordered subselect."""
        keys = [(kind.sort_key(rows.c[f"c{index}"]), descending) for index, kind, descending in self.order]
        sorts = [key.desc() if descending else key.asc() for key, descending in keys]
        inner = select(*rows.c).order_by(*sorts).subquery("r")
        arrays = [
            func.array_agg(written(inner.c[f"c{index}"], kind)).label(f"p{place}")
            for index, (place, kind) in self.outputs.items()
        ]
        return select(*arrays).select_from(inner).subquery(f"a{rows.name[1:]}")


def written(column: ColumnElement[Any], kind: FieldType) -> ColumnElement[Any]:
    """Return a column as the assembly expects it. Lists are JSON, since array_agg requires arrays of equal length."""
    if kind.many:
        return cast(func.to_json(column), Text)
    return column if kind.scalar is None or kind.scalar.sql is None else kind.scalar.sql(column)
