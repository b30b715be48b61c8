"""The general path: a statement for each list, row and relation, and its rows as records.

GraphQL's resolvers and loaders read through it, and whatever the Reader (reader.py) does not compile. Each statement
selects a resource's public fields through its masks, where its policy lets the actor read the row; there is no way to
ask for rows without an actor. A relation of any number of parents is one statement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Select, Subquery, Uuid, and_, any_, bindparam, func, select, true
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from services.catalogue.actors import Actor
from services.catalogue.policies import Rule
from services.catalogue.resources import Relation, Resource
from services.queries.cursors import CursorCodec
from services.queries.lists import ListArguments, Page, Record
from services.reader.conditions import (
    after_condition,
    before_condition,
    filter_condition,
    linked,
    order_columns,
    search_condition,
)
from services.storage.constraints import is_outdated
from services.storage.prepared import raw_connection


@dataclass(slots=True)
class Records:
    """Reads for one actor, through one session, which it must not share with another task."""

    session: AsyncSession
    actor: Actor
    cursors: CursorCodec

    async def page(self, resource: Resource[Any], arguments: ListArguments, where: Rule | None = None) -> Page:
        """A page of a list. Raises `validation_failed` for a cursor of another list."""
        entity = aliased(resource.model)
        columns, where = select(*self._columns(resource, entity)), self._listed(resource, where)
        statement = self._list(resource, entity, arguments, where, columns)
        records = [dict(row) for row in (await self._execute(statement)).mappings()]
        return self._paged(resource, arguments, records)

    async def count(self, resource: Resource[Any], arguments: ListArguments, where: Rule | None = None) -> int:
        """The number of rows in the whole list."""
        entity = aliased(resource.model)
        found = self._restrictions(resource, entity, arguments, self._listed(resource, where))
        statement = select(func.count()).select_from(entity).where(*found)
        return int((await self._execute(statement)).scalar_one())

    async def get(self, resource: Resource[Any], key: UUID) -> Record | None:
        """The row with this key, if the actor may read it."""
        return (await self.many(resource, [key])).get(key)

    async def find(self, resource: Resource[Any], where: Rule) -> Record | None:
        """The one row that a rule holds for, if the actor may read it."""
        entity = aliased(resource.model)
        visible = resource.policy.predicate("read", entity, self.actor)
        statement = select(*self._columns(resource, entity)).where(visible, where(entity)).limit(1)
        row = (await self._execute(statement)).mappings().first()
        return dict(row) if row else None

    async def many(self, resource: Resource[Any], keys: Sequence[UUID]) -> dict[UUID, Record]:
        """Rows by their keys, as far as the actor may read them."""
        entity = aliased(resource.model)
        visible = resource.policy.predicate("read", entity, self.actor)
        statement = select(*self._columns(resource, entity)).where(entity.id == any_(_array(keys)), visible)
        return {row["id"]: dict(row) for row in (await self._execute(statement)).mappings()}

    async def related(self, relation: Relation, parents: Sequence[UUID], arguments: ListArguments) -> dict[UUID, Page]:
        """A page of a to-many relation for each parent, in one statement."""
        resource, entity = relation.target, aliased(relation.target.model)
        order = order_columns(arguments.reading, resource, entity, self.actor)
        position = func.row_number().over(order_by=order).label("_position")
        given = _rows(parents)
        parent = given.c.key
        inner = linked(relation, entity, parent, select(*self._columns(resource, entity), position))
        rows = self._list(resource, entity, arguments, None, inner).lateral()
        statement = (
            select(parent.label("_parent"), rows).join_from(given, rows, true()).order_by(parent, rows.c["_position"])
        )
        found: dict[UUID, list[Record]] = {key: [] for key in parents}
        for row in (await self._execute(statement)).mappings():
            record = dict(row)
            del record["_position"]
            found[record.pop("_parent")].append(record)
        return {key: self._paged(resource, arguments, records) for key, records in found.items()}

    async def related_counts(
        self, relation: Relation, parents: Sequence[UUID], arguments: ListArguments
    ) -> dict[UUID, int]:
        """The number of rows in the whole of a to-many relation, for each parent."""
        entity = aliased(relation.target.model)
        given = _rows(parents)
        counted = linked(relation, entity, given.c.key, select(func.count().label("size")).select_from(entity))
        counted = counted.where(*self._restrictions(relation.target, entity, arguments, None))
        sizes = counted.lateral()
        statement = select(given.c.key, sizes.c.size).join_from(given, sizes, true())
        return {row.key: row.size for row in await self._execute(statement)}

    def _columns(self, resource: Resource[Any], entity: Any) -> list[ColumnElement[Any]]:
        hidden = {each.local for each in resource.relations.values()} - set(resource.fields)
        return [
            resource.policy.column(name, entity, self.actor).label(name) for name in (*resource.fields, *sorted(hidden))
        ]

    def _listed(self, resource: Resource[Any], where: Rule | None) -> Rule:
        """What holds for the rows of a list at the top, besides that the actor may read them."""
        _, *narrower = resource.policy.listing

        def holds(entity: Any) -> ColumnElement[bool]:
            rules = [resource.policy.predicate(each, entity, self.actor) for each in narrower]
            found: ColumnElement[bool] = and_(true(), *rules, *([where(entity)] if where is not None else []))
            return found

        return holds

    def _restrictions(
        self, resource: Resource[Any], entity: Any, arguments: ListArguments, where: Rule | None
    ) -> list[ColumnElement[bool]]:
        found = [resource.policy.predicate("read", entity, self.actor)]
        if where is not None:
            found.append(where(entity))
        if arguments.filter is not None:
            found.append(filter_condition(arguments.filter, resource, entity, self.actor))
        if arguments.search is not None:
            found.append(search_condition(arguments.search, entity))
        return found

    def _list(
        self, resource: Resource[Any], entity: Any, arguments: ListArguments, where: Rule | None, base: Select[Any]
    ) -> Select[Any]:
        """Restrict, order and cut a list; one row more than asked for tells whether there is another page."""
        order = arguments.order
        statement = base.where(*self._restrictions(resource, entity, arguments, where))
        if arguments.after is not None:
            values = self.cursors.decode(resource, order, arguments.after)
            statement = statement.where(after_condition(order, values, resource, entity, self.actor))
        if arguments.before is not None:
            values = self.cursors.decode(resource, order, arguments.before, ("before",))
            statement = statement.where(before_condition(order, values, resource, entity, self.actor))
        reading = order_columns(arguments.reading, resource, entity, self.actor)
        statement = statement.order_by(*reading).limit(arguments.limit + 1)
        return statement.offset(arguments.skip) if arguments.skip else statement

    def _paged(self, resource: Resource[Any], arguments: ListArguments, records: list[Record]) -> Page:
        kept, fields = records[: arguments.limit], [each.field for each in arguments.order]
        if arguments.backward:
            kept.reverse()
        cursors = [self.cursors.encode(resource, arguments.order, [r[name] for name in fields]) for r in kept]
        ahead, inside = len(records) > arguments.limit, arguments.is_inside
        has_next, has_previous = (inside, ahead) if arguments.backward else (ahead, inside)
        return Page(kept, cursors, has_next=has_next, has_previous=has_previous)

    async def _execute(self, statement: Select[Any]) -> Any:
        try:
            return await self.session.execute(statement, self.actor.parameters())
        except DBAPIError as error:
            # Within a transaction PostgreSQL refuses everything from now on.
            if not is_outdated(error.orig and error.orig.__cause__) or raw_connection(self.session).is_in_transaction():
                raise
        return await self.session.execute(statement, self.actor.parameters())


def _array(keys: Sequence[UUID]) -> ColumnElement[Any]:
    return bindparam(None, list(keys), type_=ARRAY(Uuid()))


def _rows(keys: Sequence[UUID]) -> Subquery:
    """The keys as a table of one column, `key`."""
    return select(func.unnest(_array(keys)).label("key")).subquery("parents")
