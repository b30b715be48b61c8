"""Which rows the deletion of others affects: read off the models' foreign keys and the catalogue's relations."""

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
"""What `ondelete` says of the rows that refer to a deleted one; PostgreSQL 15 takes the columns to be set."""


@dataclass(frozen=True, slots=True, eq=False)
class Edge:
    """Rows of `child` for which `hangs` holds are affected by the deletion of the rows of `parent` among `keys`.

    They are deleted, or else changed: the columns of `values` are set, and `changed` names what becomes different.
    """

    parent: Table
    child: Table
    hangs: ColumnElement[bool]
    deletes: bool
    values: Mapping[str, Any]
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Touch:
    """What a column becomes when its row changes: an expression, and, if it is a parameter, how to make its value."""

    expression: Any
    value: Callable[[], Any] | None = None


def touched_columns(mapper: Mapper[Any]) -> dict[str, Touch]:
    """The columns that follow from any change of a row, as the unit of work has them: `onupdate`, and the version."""
    found: dict[str, Touch] = {}
    for column in cast("Table", mapper.local_table).columns:
        made: Any = column.onupdate
        if made is not None and made.is_callable:
            found[column.name] = Touch(given(f"touch_{column.name}", column.type), partial(made.arg, None))
        elif made is not None:
            found[column.name] = Touch(made.arg)
    version, generator = mapper.version_id_col, mapper.version_id_generator
    if version is not None and isinstance(version.type, Integer):
        found[version.name] = Touch(version + 1)
    elif version is not None and generator:
        found[version.name] = Touch(given(f"touch_{version.name}", version.type), partial(generator, None))
    return found


def table_of(model: type[DeclarativeBase]) -> Table:
    """The table that a model is mapped to."""
    return cast("Table", model.__table__)


def key_of(table: Table) -> Column[Any]:
    """The one column of a table's primary key."""
    (column,) = table.primary_key.columns
    return column


def keys_among(table: Table) -> BindParameter[Any]:
    """The parameter `keys`: those of rows of a table."""
    return given("keys", ARRAY(key_of(table).type))


def mappers_of(catalogue: Catalogue) -> dict[Table, Mapper[Any]]:
    """The mapped tables of the packages that the catalogue's resources come from, keys of one column provided.

    A process may have imported models of packages that this catalogue, and its database, know nothing of.
    """
    packages = {_package(each.model) for each in catalogue.resources.values()}
    mapped = {cast("Table", each.local_table): each for each in Base.registry.mappers}
    return {
        table: mapper
        for table, mapper in mapped.items()
        if len(table.primary_key) == 1 and _package(mapper.class_) in packages
    }


def _package(model: type) -> str:
    return model.__module__.rpartition(".")[0]


def edges_of(catalogue: Catalogue, tables: Iterable[Table]) -> dict[Table, Sequence[Edge]]:
    """The edges that lead from each table, as far as they lead to a change of a row, or to a row of a resource.

    Those of a table are in the order of `_ranked`.
    """
    known = sorted(tables, key=lambda each: each.name)
    edges = [edge for table in known for edge in _by_foreign_keys(table, set(known))]
    edges += [edge for resource in catalogue.resources.values() for edge in _by_links(resource)]
    shown = {each.table for each in catalogue.resources.values()}
    edges = _noteworthy(edges, shown)
    rank = _ranked(edges)
    found: dict[Table, Sequence[Edge]] = {}
    for table in sorted({each.parent for each in edges}, key=rank.index):
        found[table] = sorted((each for each in edges if each.parent is table), key=lambda each: rank.index(each.child))
    return found


def _by_foreign_keys(child: Table, known: set[Table]) -> Iterator[Edge]:
    for key in sorted(child.foreign_key_constraints, key=lambda each: str(each.name)):
        action = _ACTION.match(key.ondelete or "")
        if action is None or key.referred_table not in known:
            continue
        deletes, default = action[1].upper() == "CASCADE", action[1].upper() == "SET DEFAULT"
        named = [each.strip() for each in (action[2] or "").split(",") if each.strip()]
        columns = () if deletes else tuple(named or key.column_keys)
        values = {name: text("default") if default else null() for name in columns}
        yield Edge(key.referred_table, child, _refers(child, key), deletes, values, columns)


def _refers(child: Table, key: ForeignKeyConstraint) -> ColumnElement[bool]:
    """Whether a row refers to one of the parents by this foreign key."""
    parent, keys = key.referred_table, keys_among(key.referred_table)
    pairs = [(each.parent, each.column) for each in key.elements]
    by_key = [near for near, far in pairs if far is key_of(parent)]
    if by_key:  # whatever else refers to the same row says nothing more
        others = [near.is_not(None) for near, _ in pairs if near is not by_key[0] and near.nullable]
        return and_(by_key[0] == any_(keys), *others)
    referred = select(*[far for _, far in pairs]).where(key_of(parent) == any_(keys))
    return tuple_(*[near for near, _ in pairs]).in_(referred)


def _by_links(resource: Resource[Any]) -> Iterator[Edge]:
    """The edges by which a row changes that loses its link to a deleted one."""
    declared = {each.name for each in resource.declared_relations if each.through is not None}
    for relation in resource.relations.values():
        if relation.name in declared and _goes_with(relation):
            link = cast("Table", relation.through).columns
            linked = select(link[relation.near]).where(link[relation.far] == any_(keys_among(relation.target.table)))
            hangs = key_of(resource.table).in_(linked)
            yield Edge(relation.target.table, resource.table, hangs, False, {}, (relation.name,))


def _goes_with(relation: Relation) -> bool:
    """Whether the link goes with the row at its far end."""
    keys = cast("Table", relation.through).columns[relation.far].foreign_keys
    return any(
        each.column.table is relation.target.table and (each.ondelete or "").upper() == "CASCADE" for each in keys
    )


def _noteworthy(edges: Sequence[Edge], shown: set[Table]) -> list[Edge]:
    """Those that lead to a change, or to a row of a resource, were it over others."""
    leading, grown = set(shown), -1
    while grown != len(leading):
        grown = len(leading)
        leading |= {each.parent for each in edges if not each.deletes or each.child in leading}
    return [each for each in edges if not each.deletes or each.child in leading]


def _ranked(edges: Sequence[Edge]) -> list[Table]:
    """The tables, each before those that it affects, as far as there are no circles.

    Two deletions that lock rows in this order do not wait for each other.
    """
    found: list[Table] = []
    under_way: set[Table] = set()

    def visit(table: Table) -> None:
        if table not in under_way:
            under_way.add(table)
            for each in sorted({edge.child for edge in edges if edge.parent is table}, key=lambda one: one.name):
                visit(each)
            found.insert(0, table)

    for table in sorted({table for edge in edges for table in (edge.parent, edge.child)}, key=lambda one: one.name):
        visit(table)
    return found
