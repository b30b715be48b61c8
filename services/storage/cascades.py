"""Applies what the deletion of rows does to other rows by foreign keys as explicit changes and deletions.

PostgreSQL does it silently (`ON DELETE SET NULL`, `ON DELETE CASCADE`). Before it does, `Cascades.follow` finds and
locks the affected rows, from the deleted ones downwards; updates those that will be changed, with their `updated_at`
and version; and lets a witness, the audit, record each row. All of this is derived from the models' foreign
keys and the catalogue's relations; a resource declares nothing.

A row that loses its link to a deleted one (an item whose label is deleted) counts as changed if its resource declares
the relation. Rows of association tables, and of tables without a resource, are not recorded; PostgreSQL deletes them.

The rows to be deleted must be locked already (`FOR UPDATE`), so that no new row can refer to them; the same holds for
the rows found below them. So none is added between the search and the deletion.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

from sqlalchemy import (
    CTE,
    Column,
    ColumnElement,
    Delete,
    FromClause,
    Insert,
    Select,
    Table,
    Uuid,
    any_,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapper

from services.catalogue.catalogue import Catalogue
from services.catalogue.resources import Resource
from services.storage.edges import Edge, edges_of, key_of, keys_among, mappers_of, table_of, touched_columns
from services.storage.flushing import flush
from services.storage.prepared import Prepared

Note = Callable[[Resource[Any], FromClause, Sequence[str]], Insert]
"""Returns the statement that records a resource's rows as changed in these fields or, without fields, as deleted.

It is built once for each resource; values that differ between calls are parameters (`given`).
"""
Taken: TypeAlias = Mapping[Resource[Any], Collection[Any]]
"""The keys of rows deleted along with others, by resource."""


@dataclass(frozen=True, slots=True)
class DeletionObserver:
    """Records rows that a deletion affects: a builder of statements, and the values of their parameters."""

    note: Note
    values: Callable[[], Mapping[str, Any]]


@dataclass(slots=True)
class Cascades:
    """Follows the foreign keys of a catalogue's models."""

    catalogue: Catalogue
    _mappers: Mapping[Table, Mapper[Any]] = field(init=False)
    _edges: Mapping[Table, Sequence[Edge]] = field(init=False)
    _by_table: Mapping[Table, Resource[Any]] = field(init=False)
    _prepared: dict[Any, Prepared] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._mappers = mappers_of(self.catalogue)
        self._edges = edges_of(self.catalogue, self._mappers)
        self._by_table = {resource.table: resource for resource in self.catalogue.resources.values()}

    async def delete(self, session: AsyncSession, model: type[DeclarativeBase], keys: Collection[Any]) -> None:
        """Delete rows that are locked `FOR UPDATE`, bypassing the session's objects, after following their cascades."""
        if not keys:
            return
        await self.follow(session, model, keys)
        table = table_of(model)
        deletion = self._statement(table, lambda: delete(table).where(_is_among(table)))
        await deletion.row(session, {"keys": list(keys)})

    async def delete_where(
        self, session: AsyncSession, model: type[DeclarativeBase], *conditions: ColumnElement[bool]
    ) -> Sequence[Any]:
        """Delete the rows that satisfy the conditions, as `delete` does; return their keys.

        It takes one statement if no other rows depend on rows of the model.
        """
        table = table_of(model)
        if table not in self._edges:
            deletion = delete(model).where(*conditions).returning(key_of(table))
            options = {"synchronize_session": False}
            return (await session.execute(deletion, execution_options=options)).scalars().all()
        locked = select(key_of(table)).where(*conditions).order_by(key_of(table)).with_for_update()
        keys = (await session.execute(locked)).scalars().all()
        await self.delete(session, model, keys)
        return keys

    async def follow(
        self, session: AsyncSession, model: type[DeclarativeBase], keys: Collection[Any],
        witness: DeletionObserver | None = None,
    ) -> Taken:  # fmt: skip
        """Apply the changes that the deletion of rows causes; return the rows that are deleted along with them.

        Must be called in the transaction of the deletion, before it. It takes a statement for each table and level
        where it looks for rows, one for each foreign key that changes some, and one for each resource that loses some,
        regardless of their number. The witness records each of these rows.
        """
        root = table_of(model)
        if root not in self._edges:
            return {}
        await flush(session)
        deleted, changed = await self._look(session, root, set(keys))
        for edge, affected in changed.items():
            remaining = affected - deleted.get(edge.child, set())
            if remaining:
                await self._change(session, edge, remaining, witness)
        deleted[root] -= set(keys)
        taken = {
            self._by_table[table]: affected
            for table, affected in deleted.items()
            if table in self._by_table and affected
        }
        if witness is not None:
            for resource, affected in taken.items():
                await self._take(session, resource.table, affected, witness)
        return taken

    async def _look(
        self, session: AsyncSession, root: Table, keys: set[Any]
    ) -> tuple[dict[Table, set[Any]], dict[Edge, set[Any]]]:
        """Lock the affected rows, level by level; return the keys of deleted ones by table, of changed ones by edge."""
        deleted, changed = defaultdict(set, {root: keys}), defaultdict[Edge, set[Any]](set)
        level: dict[Table, set[Any]] = {root: keys}
        while level:
            below = defaultdict[Table, set[Any]](set)
            for parent in [table for table in self._edges if level.get(table)]:
                edges = self._edges[parent]
                lookup = self._statement((parent, "look"), partial(_look_along, edges))
                row = await lookup.row(session, {"keys": list(level[parent])})
                for edge, affected in zip(edges, row or (), strict=True):
                    if edge.deletes:
                        below[edge.child] |= set(affected or ()) - deleted[edge.child]
                        deleted[edge.child] |= below[edge.child]
                    else:
                        changed[edge] |= set(affected or ())
            level = below
        return deleted, changed

    async def _change(
        self, session: AsyncSession, edge: Edge, keys: set[Any], witness: DeletionObserver | None
    ) -> None:  # fmt: skip
        """Change the rows of an edge, with their version and the time of the change."""
        table = edge.child
        touched = touched_columns(self._mappers[table])

        def statement() -> Select[int]:
            values = {**edge.values, **{name: touch.expression for name, touch in touched.items()}}
            chosen = _is_among(table)
            rows = select(*_keys(table)).where(chosen).cte("changed")
            if values:
                rows = update(table).where(chosen).values(values).returning(*_keys(table)).cte("changed")
            return self._noted(table, rows, edge.changed, witness)

        touch_values = {f"touch_{name}": touch.value() for name, touch in touched.items() if touch.value is not None}
        await self._execute(session, edge, statement, {**touch_values, "keys": list(keys)}, witness)

    async def _take(
        self, session: AsyncSession, table: Table, keys: Collection[Any], witness: DeletionObserver
    ) -> None:  # fmt: skip
        """Record rows that PostgreSQL is about to delete."""

        def statement() -> Select[int]:
            rows = select(*_keys(table)).where(_is_among(table)).cte("gone")
            return self._noted(table, rows, (), witness)

        await self._execute(session, table, statement, {"keys": list(keys)}, witness)

    def _noted(
        self, table: Table, rows: CTE, changed: Sequence[str], witness: DeletionObserver | None
    ) -> Select[int]:  # fmt: skip
        """Return a statement that counts the rows and executes the witness's statement."""
        resource, counted = self._by_table.get(table), select(func.count()).select_from(rows)
        if resource is None or witness is None:
            return counted
        return counted.add_cte(witness.note(resource, rows, changed).cte("note"))

    async def _execute(
        self, session: AsyncSession, key: Any, build: Callable[[], Select[int]], values: Mapping[str, Any],
        witness: DeletionObserver | None,
    ) -> None:  # fmt: skip
        note, noted_values = (witness.note, witness.values()) if witness is not None else (None, {})
        await self._statement((key, note), build).row(session, {**noted_values, **values})

    def _statement(self, key: Any, build: Callable[[], Select[*tuple[Any, ...]] | Delete]) -> Prepared:
        if key not in self._prepared:
            self._prepared[key] = Prepared(build())
        return self._prepared[key]


def _is_among(table: Table) -> ColumnElement[bool]:
    return key_of(table) == any_(keys_among(table))


def _keys(table: Table) -> list[Column[Any]]:
    """Return the primary key and the columns that refer to other rows, which is what witnesses need."""
    return [column for column in table.columns if column.primary_key or isinstance(column.type, Uuid)]


def _look_along(edges: Sequence[Edge]) -> Select[*tuple[Any, ...]]:
    """Return for each edge the keys of its affected rows, locked in their order."""
    columns = []
    for edge in edges:
        key = key_of(edge.child)
        rows = select(key).where(edge.hangs).order_by(key)
        locked = rows.with_for_update(of=edge.child, key_share=not edge.deletes).subquery()
        columns.append(select(func.array_agg(locked.c[key.name])).scalar_subquery())
    return select(*columns)
