"""Derives which rows a deletion affects from the models' foreign keys and the catalogue's relations."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, cast

from sqlalchemy import (
    ARRAY,
    BindParameter,
    Column,
    ColumnElement,
    ForeignKeyConstraint,
    Integer,
    Table,
    and_,
    any_,
    null,
    select,
    text,
    tuple_,
)
from sqlalchemy.orm import DeclarativeBase, Mapper

from services.catalogue.catalogue import Catalogue
from services.catalogue.resources import Relation, Resource
from services.storage.base import Base
from services.storage.prepared import given

_ACTION: Final = re.compile(r"(CASCADE|SET NULL|SET DEFAULT)\s*(?:\((.*)\))?", re.IGNORECASE)
"""The action of `ondelete` on referring rows, with the columns to be set since PostgreSQL 15."""


@dataclass(frozen=True, slots=True, eq=False)
class Edge:
    """Rows of `child` that satisfy `hangs` are affected by the deletion of the rows of `parent` among `keys`.

    They are deleted, or changed: the columns of `values` are set, and `changed` names the changed fields.
    """

    parent: Table
    child: Table
    hangs: ColumnElement[bool]
    deletes: bool
    values: Mapping[str, Any]
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Touch:
    """The new value of a column when its row changes: an expression and, for a parameter, the function of its value."""

    expression: Any
    value: Callable[[], Any] | None = None


def touched_columns(mapper: Mapper[Any]) -> dict[str, Touch]:
    """Return the columns that change with any change of a row, as in the unit of work: `onupdate` and the version."""
    touches: dict[str, Touch] = {}
    for column in cast("Table", mapper.local_table).columns:
        default: Any = column.onupdate
        if default is not None and default.is_callable:
            touches[column.name] = Touch(given(f"touch_{column.name}", column.type), partial(default.arg, None))
        elif default is not None:
            touches[column.name] = Touch(default.arg)
    version, generator = mapper.version_id_col, mapper.version_id_generator
    if version is not None and isinstance(version.type, Integer):
        touches[version.name] = Touch(version + 1)
    elif version is not None and generator:
        touches[version.name] = Touch(given(f"touch_{version.name}", version.type), partial(generator, None))
    return touches


def table_of(model: type[DeclarativeBase]) -> Table:
    """Return the table of a model."""
    return cast("Table", model.__table__)


def key_of(table: Table) -> Column[Any]:
    """Return the only column of a table's primary key."""
    (column,) = table.primary_key.columns
    return column


def keys_among(table: Table) -> BindParameter[Any]:
    """Return the parameter `keys`, the keys of rows of a table."""
    return given("keys", ARRAY(key_of(table).type))


def mappers_of(catalogue: Catalogue) -> dict[Table, Mapper[Any]]:
    """Return the mapped tables, with a single-column key, of the packages of the catalogue's resources.

    The process may have imported models of packages that are not part of this catalogue and its database.
    """
    packages = {_package(resource.model) for resource in catalogue.resources.values()}
    mapped = {cast("Table", mapper.local_table): mapper for mapper in Base.registry.mappers}
    return {
        table: mapper
        for table, mapper in mapped.items()
        if len(table.primary_key) == 1 and _package(mapper.class_) in packages
    }


def _package(model: type) -> str:
    return model.__module__.rpartition(".")[0]


def edges_of(catalogue: Catalogue, tables: Iterable[Table]) -> dict[Table, Sequence[Edge]]:
    """Return the edges from each table that lead to a change of a row, or to a row of a resource.

    The edges of a table are in the order of `_ranked`.
    """
    sorted_tables = sorted(tables, key=lambda table: table.name)
    edges = [edge for table in sorted_tables for edge in _by_foreign_keys(table, set(sorted_tables))]
    edges += [edge for resource in catalogue.resources.values() for edge in _by_links(resource)]
    resource_tables = {resource.table for resource in catalogue.resources.values()}
    edges = _noteworthy(edges, resource_tables)
    rank = _ranked(edges)
    edges_by_table: dict[Table, Sequence[Edge]] = {}
    for table in sorted({edge.parent for edge in edges}, key=rank.index):
        edges_by_table[table] = sorted(
            (edge for edge in edges if edge.parent is table), key=lambda edge: rank.index(edge.child)
        )
    return edges_by_table


def _by_foreign_keys(child: Table, mapped_tables: set[Table]) -> Iterator[Edge]:
    for key in sorted(child.foreign_key_constraints, key=lambda constraint: str(constraint.name)):
        action = _ACTION.match(key.ondelete or "")
        if action is None or key.referred_table not in mapped_tables:
            continue
        deletes, default = action[1].upper() == "CASCADE", action[1].upper() == "SET DEFAULT"
        named_columns = [column.strip() for column in (action[2] or "").split(",") if column.strip()]
        columns = () if deletes else tuple(named_columns or key.column_keys)
        values = {name: text("default") if default else null() for name in columns}
        yield Edge(key.referred_table, child, _refers(child, key), deletes, values, columns)


def _refers(child: Table, key: ForeignKeyConstraint) -> ColumnElement[bool]:
    """Return whether a row refers to one of the parents by this foreign key."""
    parent, keys = key.referred_table, keys_among(key.referred_table)
    pairs = [(element.parent, element.column) for element in key.elements]
    by_key = [near for near, far in pairs if far is key_of(parent)]
    if by_key:  # the other columns refer to the same row
        not_null = [near.is_not(None) for near, _ in pairs if near is not by_key[0] and near.nullable]
        return and_(by_key[0] == any_(keys), *not_null)
    referred = select(*[far for _, far in pairs]).where(key_of(parent) == any_(keys))
    return tuple_(*[near for near, _ in pairs]).in_(referred)


def _by_links(resource: Resource[Any]) -> Iterator[Edge]:
    """Return the edges of rows that change because they lose their link to a deleted row."""
    declared = {declaration.name for declaration in resource.declared_relations if declaration.through is not None}
    for relation in resource.relations.values():
        if relation.name in declared and _goes_with(relation):
            link = cast("Table", relation.through).columns
            linked = select(link[relation.near]).where(link[relation.far] == any_(keys_among(relation.target.table)))
            hangs = key_of(resource.table).in_(linked)
            yield Edge(relation.target.table, resource.table, hangs, False, {}, (relation.name,))


def _goes_with(relation: Relation) -> bool:
    """Return whether the link is deleted along with the row at its far end."""
    keys = cast("Table", relation.through).columns[relation.far].foreign_keys
    return any(
        foreign_key.column.table is relation.target.table and (foreign_key.ondelete or "").upper() == "CASCADE"
        for foreign_key in keys
    )


def _noteworthy(edges: Sequence[Edge], resource_tables: set[Table]) -> list[Edge]:
    """Return the edges that lead to a change, or to a row of a resource, directly or through others."""
    leading, size = set(resource_tables), -1
    while size != len(leading):
        size = len(leading)
        leading |= {edge.parent for edge in edges if not edge.deletes or edge.child in leading}
    return [edge for edge in edges if not edge.deletes or edge.child in leading]


def _ranked(edges: Sequence[Edge]) -> list[Table]:
    """Return the tables, each before those that it affects, except in cycles.

    Deletions that lock rows in this order do not deadlock.
    """
    ranking: list[Table] = []
    visited: set[Table] = set()

    def visit(table: Table) -> None:
        if table not in visited:
            visited.add(table)
            for child in sorted({edge.child for edge in edges if edge.parent is table}, key=lambda child: child.name):
                visit(child)
            ranking.insert(0, table)

    for table in sorted({table for edge in edges for table in (edge.parent, edge.child)}, key=lambda table: table.name):
        visit(table)
    return ranking
