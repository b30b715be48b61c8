"""The general path: a statement for each list, row and relation, whose rows are records.

GraphQL's resolvers and loaders use it, and queries that the Reader (reader.py) does not compile. Each statement selects
a resource's public fields through its masks, of the rows that its policy lets the actor read; rows cannot be read
without an actor. A relation of any number of parents takes one statement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Select, Subquery, Uuid, any_, bindparam, func, select, true
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from services.catalogue.actors import Actor
from services.catalogue.policies import Rule
from services.catalogue.resources import Relation, Resource
from services.queries.cursors import CursorCodec
from services.queries.lists import ListArguments, Page, Record
from services.reader.conditions import Conditions, CursorValues, cursor_values, linked, order_columns
from services.storage.constraints import is_outdated
from services.storage.prepared import raw_connection


@dataclass(slots=True)
class Records:
    """Reads for one actor through one session, which must not be shared with another task."""

    session: AsyncSession
    actor: Actor
    cursors: CursorCodec

    async def page(self, resource: Resource[Any], arguments: ListArguments, where: Rule | None = None) -> Page:
        """Return a page of a list. Raises `validation_failed` for a cursor of another list."""
        entity = aliased(resource.model)
        restrictions = self._listed(resource, entity, where)
        statement = self._list(resource, entity, arguments, select(*self._columns(resource, entity)), restrictions)
        records = [dict(row) for row in (await self._execute(statement)).mappings()]
        return self._paged(resource, arguments, records)

    async def count(self, resource: Resource[Any], arguments: ListArguments, where: Rule | None = None) -> int:
        """Return the number of rows in the whole list."""
        entity = aliased(resource.model)
        conditions = [*self._listed(resource, entity, where), *self._requested(resource, entity, arguments)]
        statement = select(func.count()).select_from(entity).where(*conditions)
        return int((await self._execute(statement)).scalar_one())

    async def get(self, resource: Resource[Any], key: UUID) -> Record | None:
        """Return the row with this key, if the actor may read it."""
        return (await self.many(resource, [key])).get(key)

    async def find(self, resource: Resource[Any], where: Rule) -> Record | None:
        """Return the one row that satisfies a rule, if the actor may read it."""
        entity = aliased(resource.model)
        conditions = [self._visible(resource, entity), where(entity)]
        statement = select(*self._columns(resource, entity)).where(*conditions).limit(1)
        row = (await self._execute(statement)).mappings().first()
        return dict(row) if row else None

    async def many(self, resource: Resource[Any], keys: Sequence[UUID]) -> dict[UUID, Record]:
        """Return the rows with these keys that the actor may read."""
        entity = aliased(resource.model)
        conditions = [entity.id == any_(_array(keys)), self._visible(resource, entity)]
        statement = select(*self._columns(resource, entity)).where(*conditions)
        return {row["id"]: dict(row) for row in (await self._execute(statement)).mappings()}

    async def related(self, relation: Relation, parents: Sequence[UUID], arguments: ListArguments) -> dict[UUID, Page]:
        """Return a page of a to-many relation for each parent, in one statement."""
        resource, entity = relation.target, aliased(relation.target.model)
        order = self._order(resource, entity, arguments)
        position = func.row_number().over(order_by=order).label("_position")
        parent_rows = _rows(parents)
        parent = parent_rows.c.key
        inner = linked(relation, entity, parent, select(*self._columns(resource, entity), position))
        rows = self._list(resource, entity, arguments, inner, [self._visible(resource, entity)]).lateral()
        statement = select(parent.label("_parent"), rows).join_from(parent_rows, rows, true())
        statement = statement.order_by(parent, rows.c["_position"])
        records_by_parent: dict[UUID, list[Record]] = {key: [] for key in parents}
        for row in (await self._execute(statement)).mappings():
            record = dict(row)
            del record["_position"]
            records_by_parent[record.pop("_parent")].append(record)
        return {key: self._paged(resource, arguments, records) for key, records in records_by_parent.items()}

    async def related_counts(
        self, relation: Relation, parents: Sequence[UUID], arguments: ListArguments
    ) -> dict[UUID, int]:
        """Return the number of rows in the whole of a to-many relation, for each parent."""
        entity = aliased(relation.target.model)
        parent_rows = _rows(parents)
        counted = linked(relation, entity, parent_rows.c.key, select(func.count().label("size")).select_from(entity))
        visible = self._visible(relation.target, entity)
        sizes = counted.where(visible, *self._requested(relation.target, entity, arguments)).lateral()
        statement = select(parent_rows.c.key, sizes.c.size).join_from(parent_rows, sizes, true())
        return {row.key: row.size for row in await self._execute(statement)}

    def _columns(self, resource: Resource[Any], entity: Any) -> list[ColumnElement[Any]]:
        hidden = {relation.local for relation in resource.relations.values()} - set(resource.fields)
        return [
            resource.policy.column(name, entity, self.actor).label(name) for name in (*resource.fields, *sorted(hidden))
        ]

    def _visible(self, resource: Resource[Any], entity: Any) -> ColumnElement[bool]:
        return resource.policy.predicate("read", entity, self.actor)

    def _listed(self, resource: Resource[Any], entity: Any, where: Rule | None) -> list[ColumnElement[bool]]:
        """Return the conditions on the rows of a top-level list, whatever its arguments."""
        rules = [resource.policy.predicate(action, entity, self.actor) for action in resource.policy.listing]
        return rules if where is None else [*rules, where(entity)]

    def _requested(
        self, resource: Resource[Any], entity: Any, arguments: ListArguments, cursors: CursorValues = (None, None)
    ) -> list[ColumnElement[bool]]:
        return Conditions(resource, entity, self.actor).requested(arguments, *cursors)

    def _order(self, resource: Resource[Any], entity: Any, arguments: ListArguments) -> list[ColumnElement[Any]]:
        return order_columns(arguments.reading, resource, Conditions(resource, entity, self.actor).column)

    def _list(
        self, resource: Resource[Any], entity: Any, arguments: ListArguments, base: Select[Any],
        restrictions: Sequence[ColumnElement[bool]],
    ) -> Select[Any]:  # fmt: skip
        """Restrict, order and limit a list, with one more row to detect another page."""
        cursors = cursor_values(resource, arguments, self.cursors)
        statement = base.where(*restrictions, *self._requested(resource, entity, arguments, cursors))
        statement = statement.order_by(*self._order(resource, entity, arguments)).limit(arguments.limit + 1)
        return statement.offset(arguments.skip) if arguments.skip else statement

    def _paged(self, resource: Resource[Any], arguments: ListArguments, records: list[Record]) -> Page:
        shown, fields = records[: arguments.limit], [term.field for term in arguments.order]
        if arguments.backward:
            shown.reverse()
        cursors = [self.cursors.encode(resource, arguments.order, [r[name] for name in fields]) for r in shown]
        ahead, inside = len(records) > arguments.limit, arguments.is_inside
        has_next, has_previous = (inside, ahead) if arguments.backward else (ahead, inside)
        return Page(shown, cursors, has_next=has_next, has_previous=has_previous)

    async def _execute(self, statement: Select[Any]) -> Any:
        try:
            return await self.session.execute(statement, self.actor.parameters())
        except DBAPIError as error:
            # In a transaction PostgreSQL refuses all further statements after an error.
            if not is_outdated(error) or raw_connection(self.session).is_in_transaction():
                raise
        return await self.session.execute(statement, self.actor.parameters())


def _array(keys: Sequence[UUID]) -> ColumnElement[Any]:
    return bindparam(None, list(keys), type_=ARRAY(Uuid()))


def _rows(keys: Sequence[UUID]) -> Subquery:
    """Return the keys as a table of one column, `key`."""
    return select(func.unnest(_array(keys)).label("key")).subquery("parents")
