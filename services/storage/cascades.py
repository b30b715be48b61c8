"""What the deletion of rows does to other rows by the foreign keys, as the changes and deletions that it is.

PostgreSQL does it silently (`ON DELETE SET NULL`, `ON DELETE CASCADE`). Before it does, `Cascades.follow` finds the
rows, from the deleted ones downwards, and locks them; changes those that will be changed, which moves `updated_at` and
the version as any other change does; and has witnesses, of which the audit is one, take note of each row. All of it
follows from the models' foreign keys and the catalogue's relations: a resource need not declare anything.

A row that loses its link to a deleted one (an item whose label is deleted) counts as changed if its resource declares
the relation. Rows of association tables, and of tables without a resource, are not noted; PostgreSQL deletes them.

The rows to be deleted must be locked already (`FOR UPDATE`): nobody can refer to them any more, and the same holds of
what is found below them. So nothing is added between the look and the deletion.
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
"""Makes the statement that notes something of rows: those of a resource that were changed in these fields, or, without
fields, deleted. It is made once for each resource; what differs from call to call are parameters (`given`)."""
Taken: TypeAlias = Mapping[Resource[Any], Collection[Any]]
"""The keys of rows that go with others, by resource."""


@dataclass(frozen=True, slots=True)
class Witness:
    """Who is told of rows that a deletion affects, and the values of the parameters of its statements."""

    note: Note
    values: Callable[[], Mapping[str, Any]]


@dataclass(slots=True)
class Cascades:
    """The foreign keys of a catalogue's models, followed."""

    catalogue: Catalogue
    _mappers: Mapping[Table, Mapper[Any]] = field(init=False)
    _edges: Mapping[Table, Sequence[Edge]] = field(init=False)
    _by_table: Mapping[Table, Resource[Any]] = field(init=False)
    _prepared: dict[Any, Prepared] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._mappers = mappers_of(self.catalogue)
        self._edges = edges_of(self.catalogue, self._mappers)
        self._by_table = {each.table: each for each in self.catalogue.resources.values()}

    async def delete(self, session: AsyncSession, model: type[DeclarativeBase], keys: Collection[Any]) -> None:
        """Delete rows that are locked `FOR UPDATE`, past the session's own objects, once `follow` is done for them."""
        if not keys:
            return
        await self.follow(session, model, keys)
        table = table_of(model)
        deleting = self._kept(table, lambda: delete(table).where(_is_among(table)))
        await deleting.row(session, {"keys": list(keys)})

    async def delete_where(
        self, session: AsyncSession, model: type[DeclarativeBase], *conditions: ColumnElement[bool]
    ) -> Sequence[Any]:
        """Delete the rows that the conditions hold for, as `delete` does; returns their keys.

        One statement where nothing hangs on rows of the model.
        """
        table, as_they_are = table_of(model), {"synchronize_session": False}
        if table not in self._edges:
            deleting = delete(model).where(*conditions).returning(key_of(table))
            return (await session.execute(deleting, execution_options=as_they_are)).scalars().all()
        locked = select(key_of(table)).where(*conditions).order_by(key_of(table)).with_for_update()
        keys = (await session.execute(locked)).scalars().all()
        await self.delete(session, model, keys)
        return keys

    async def follow(
        self, session: AsyncSession, model: type[DeclarativeBase], keys: Collection[Any],
        witnesses: Sequence[Witness] = (),
    ) -> Taken:  # fmt: skip
        """Change what the deletion of these rows will change, and have witnesses told of it and of what will go too.

        To be called in the transaction that deletes them, before it does. It takes a statement for each table and level
        at which it looks for rows, one for each foreign key by which some change, and one for each resource of which
        some go; however many rows these are.
        """
        root = table_of(model)
        if root not in self._edges:
            return {}
        await flush(session)
        gone, changed = await self._look(session, root, set(keys))
        for edge, found in changed.items():
            left = found - gone.get(edge.child, set())
            if left:
                await self._change(session, edge, left, witnesses)
        gone[root] -= set(keys)
        taken = {self._by_table[table]: found for table, found in gone.items() if table in self._by_table and found}
        for resource, found in taken.items():
            await self._take(session, resource, found, witnesses)
        return taken

    async def _look(
        self, session: AsyncSession, root: Table, keys: set[Any]
    ) -> tuple[dict[Table, set[Any]], dict[Edge, set[Any]]]:
        """Lock what the deletion affects, level by level; the keys of what goes by table, of what changes by edge."""
        gone, changed = defaultdict(set, {root: keys}), defaultdict[Edge, set[Any]](set)
        level: dict[Table, set[Any]] = {root: keys}
        while level:
            below = defaultdict[Table, set[Any]](set)
            for parent in [each for each in self._edges if level.get(each)]:
                edges = self._edges[parent]
                looking = self._kept((parent, "look"), partial(_look_along, edges))
                row = await looking.row(session, {"keys": list(level[parent])})
                for edge, found in zip(edges, row or (), strict=True):
                    if edge.deletes:
                        below[edge.child] |= set(found or ()) - gone[edge.child]
                        gone[edge.child] |= below[edge.child]
                    else:
                        changed[edge] |= set(found or ())
            level = below
        return gone, changed

    async def _change(self, session: AsyncSession, edge: Edge, keys: set[Any], witnesses: Sequence[Witness]) -> None:
        """Make the change of an edge, which moves the version and the time of the change as any other does."""
        table = edge.child
        touched = touched_columns(self._mappers[table])

        def statement() -> Select[int]:
            values = {**edge.values, **{name: each.expression for name, each in touched.items()}}
            chosen = _is_among(table)
            rows = select(*_keys(table)).where(chosen).cte("changed")
            if values:
                rows = update(table).where(chosen).values(values).returning(*_keys(table)).cte("changed")
            return self._noted(table, rows, edge.changed, witnesses)

        made = {f"touch_{name}": each.value() for name, each in touched.items() if each.value is not None}
        await self._tell(session, (edge, _notes(witnesses)), statement, {**made, "keys": list(keys)}, witnesses)

    async def _take(
        self, session: AsyncSession, resource: Resource[Any], keys: Collection[Any], witnesses: Sequence[Witness]
    ) -> None:
        """Have witnesses told of rows that PostgreSQL is about to delete."""
        if not witnesses:
            return
        table = resource.table

        def statement() -> Select[int]:
            rows = select(*_keys(table)).where(_is_among(table)).cte("gone")
            return self._noted(table, rows, (), witnesses)

        await self._tell(session, (table, _notes(witnesses)), statement, {"keys": list(keys)}, witnesses)

    def _noted(self, table: Table, rows: CTE, changed: Sequence[str], witnesses: Sequence[Witness]) -> Select[int]:
        """What counts the rows, and has each witness's statement done along with it."""
        resource, counted = self._by_table.get(table), select(func.count()).select_from(rows)
        notes = [each.note(resource, rows, changed) for each in witnesses] if resource is not None else []
        return counted.add_cte(*[each.cte(f"note_{place}") for place, each in enumerate(notes)])

    async def _tell(
        self, session: AsyncSession, key: Any, statement: Callable[[], Select[int]], values: Mapping[str, Any],
        witnesses: Sequence[Witness],
    ) -> None:  # fmt: skip
        given = {name: value for each in witnesses for name, value in each.values().items()}
        await self._kept(key, statement).row(session, {**given, **values})

    def _kept(self, key: Any, statement: Callable[[], Select[*tuple[Any, ...]] | Delete]) -> Prepared:
        if key not in self._prepared:
            self._prepared[key] = Prepared(statement())
        return self._prepared[key]


def _notes(witnesses: Sequence[Witness]) -> tuple[Note, ...]:
    return tuple(each.note for each in witnesses)


def _is_among(table: Table) -> ColumnElement[bool]:
    return key_of(table) == any_(keys_among(table))


def _keys(table: Table) -> list[Column[Any]]:
    """What a row is known by, and what it refers to by key: enough for notes, and little."""
    return [each for each in table.columns if each.primary_key or isinstance(each.type, Uuid)]


def _look_along(edges: Sequence[Edge]) -> Select[*tuple[Any, ...]]:
    """For each edge the keys of the rows at its end, locked in their order."""
    columns = []
    for edge in edges:
        key = key_of(edge.child)
        rows = select(key).where(edge.hangs).order_by(key)
        locked = rows.with_for_update(of=edge.child, key_share=not edge.deletes).subquery()
        columns.append(select(func.array_agg(locked.c[key.name])).scalar_subquery())
    return select(*columns)
