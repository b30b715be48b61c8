"""Aliases of mapped classes that are quick to build statements with.

SQLAlchemy's `aliased` adapts each attribute to the alias when it is used, and has every select around it compiled for
the object-relational mapper, which takes about half of the time to compile a plan.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, TableClause, column, inspect, table
from sqlalchemy.orm import aliased


class Entity:
    """An alias of a mapped class's table, with the columns as attributes under their mapped names.

    Other attributes (relationships, hybrids, column properties) are those of SQLAlchemy's `aliased`.
    """

    def __init__(self, model: Any) -> None:
        self._model, self._rows = model, _light(model).alias()
        self._names = _columns(model)

    def __clause_element__(self) -> Any:
        return self._rows

    def __getattr__(self, name: str) -> ColumnElement[Any]:
        column_name = self._names.get(name)
        if column_name is None:
            found: ColumnElement[Any] = getattr(aliased(self._model, self._rows, adapt_on_names=True), name)
            return found
        return self._rows.c[column_name]


@cache
def _columns(model: Any) -> dict[str, str]:
    return {name: each.name for name, each in inspect(model).columns.items() if each.table is model.__table__}


@cache
def _light(model: Any) -> TableClause:
    """Return the table without its constraints, which SQLAlchemy would copy into every subselect."""
    rows = model.__table__
    return table(rows.name, *[column(each.name, each.type) for each in rows.columns], schema=rows.schema)
