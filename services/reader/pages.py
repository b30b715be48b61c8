"""Pages of lists as SQL, under the policies of what they list.

How PostgreSQL goes about a policy matters as much as the policy. Of `column in (the actor's keys)` (policies.Within):

- At a list's top it may start at either end: read the list in its order and keep what is the actor's (good if that is
  much), or read the newest rows of each of the actor's keys and merge them (good if the keys are few). It cannot know
  which: a prepared plan is made for nobody in particular, and rows are rarely spread evenly. So the statement holds
  both, and counts the keys to choose; the other half is never run. A search, or a filter for identifiers, is selective
  by itself, and needs neither.
- Further down, rows come by their parents, and the keys are a set, made once a statement, that each row is looked up
  in. `… is true` keeps PostgreSQL from turning that into a join.

An unknown limit counts as a tenth of the table. Where a list's order is that of an index, a bound that PostgreSQL can
see, inside of the real one, keeps it from sorting the table.

A backward page is read in the list's order turned round, which the same indexes give, and turned back where the level
becomes arrays (levels.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    CTE,
    BindParameter,
    ColumnElement,
    FromClause,
    Integer,
    ScalarSelect,
    Select,
    Subquery,
    Uuid,
    any_,
    func,
    not_,
    select,
    true,
    union_all,
)
from sqlalchemy.orm import aliased
from sqlalchemy.types import TypeEngine

from services.catalogue.actors import Actor
from services.catalogue.policies import Rule, Within
from services.catalogue.resources import Relation, Resource
from services.catalogue.scalars import Operator
from services.queries.cursors import Order
from services.queries.filters import AllOf, Condition, Filter
from services.queries.lists import ListArguments
from services.reader.conditions import (
    Operand,
    after_condition,
    before_condition,
    filter_condition,
    linked,
    order_columns,
    search_condition,
)
from services.reader.shapes import Bound
from services.storage.prepared import given

FEW: Final = 100
FEW_FILTERED: Final = 500
"""Keys beyond which a list is read in its order rather than key by key. Nobody knows how many rows a filter leaves:
looking through all rows for hardly any is worse than looking through too many of one's own."""


class Pages:
    """Makes the pages of one statement, of `page_size` rows at most. Columns are called like the fields."""

    def __init__(self, actor: Actor, slots: Sequence[Bound], page_size: int) -> None:
        self.actor, self.slots, self.page_size = actor, slots, page_size
        self._sets: dict[Callable[[], Select[Any]], CTE] = {}

    def top(
        self, resource: Resource[Any], where: Rule | None, slot: int, fields: Iterable[str], *, more: bool
    ) -> Subquery:
        """A page of a resource; `more`: with the row that would come next, if there is one."""
        arguments = self._arguments(slot)
        *others, last = resource.policy.listing
        within = resource.policy.within(last, self.actor)
        if within is not None and arguments.search is None and not _names_rows(arguments.filter):
            return self._from_either_end(resource, within, where, slot, fields, more=more)
        entity = aliased(resource.model)
        visible = resource.policy.predicate(last, entity, self.actor) if within is None else self._visible(
            resource, entity, last
        )  # fmt: skip
        found = [visible, *[self._visible(resource, entity, each) for each in others]]
        rows = self._rows(resource, entity, fields, [*found, *self._asked(resource, entity, slot, where)])
        return self._cut(resource, rows, self._order(resource, entity, slot), slot, more=more)

    def below(
        self, relation: Relation, slot: int, parent: ColumnElement[Any], fields: Iterable[str], *, more: bool
    ) -> FromClause:
        """A page of a to-many relation of the row whose key `parent` is."""
        resource, entity = relation.target, aliased(relation.target.model)
        found = [self._visible(resource, entity), *self._asked(resource, entity, slot, None)]
        rows = linked(relation, entity, parent, self._rows(resource, entity, fields, found))
        rows = rows.order_by(*self._order(resource, entity, slot))
        return self._limited(rows, slot, more=more).lateral("page")

    def one(self, resource: Resource[Any], where: Rule | None, slot: int | None, fields: Iterable[str]) -> Subquery:
        """The row with the slot's key, or the one that a rule holds for."""
        entity = aliased(resource.model)
        found = [resource.policy.predicate("read", entity, self.actor)]
        if where is not None:
            found.append(where(entity))
        if slot is not None:
            found.append(entity.id == self.operand(slot)("k0", None, Uuid()))
        rows = self._rows(resource, entity, fields, found)
        return (rows if where is None else rows.limit(1)).subquery("page")

    def several(self, resource: Resource[Any], slot: int, place: int, fields: Iterable[str]) -> Subquery:
        """The rows of one resource among a slot's identifiers."""
        entity = aliased(resource.model)
        keys = self.operand(slot)(f"n{place}", None, ARRAY(Uuid()))
        found = [entity.id == any_(keys), resource.policy.predicate("read", entity, self.actor)]
        return self._rows(resource, entity, fields, found).subquery("page")

    def joined(self, target: Resource[Any], key: ColumnElement[Any]) -> tuple[Any, list[ColumnElement[bool]]]:
        """A to-one relation's row as an entity, and on what to join it."""
        entity = aliased(target.model)
        return entity, [entity.id == key, self._visible(target, entity)]

    def size(self, resource: Resource[Any], where: Rule | None, slot: int) -> ScalarSelect[Any]:
        """The size of the whole of a list."""
        entity = aliased(resource.model)
        rules = [resource.policy.predicate(each, entity, self.actor) for each in resource.policy.listing]
        found = [*rules, *self._asked(resource, entity, slot, where, False)]
        return select(func.count()).select_from(entity).where(*found).scalar_subquery()

    def size_below(self, relation: Relation, slot: int, parent: ColumnElement[Any]) -> ScalarSelect[Any]:
        """The size of the whole of a to-many relation of one row."""
        resource, entity = relation.target, aliased(relation.target.model)
        found = [self._visible(resource, entity), *self._asked(resource, entity, slot, None, False)]
        counted = select(func.count()).select_from(entity).where(*found)
        return linked(relation, entity, parent, counted).scalar_subquery()

    def operand(self, slot: int) -> Operand:
        """Names the parameters of a slot."""

        def parameter(name: str, _value: Any, kind: TypeEngine[Any]) -> BindParameter[Any]:
            return given(f"{slot}_{name}", kind)

        return parameter

    def _arguments(self, slot: int) -> ListArguments:
        found = self.slots[slot].arguments
        assert found is not None
        return found

    def _from_either_end(
        self,
        resource: Resource[Any],
        within: Within,
        where: Rule | None,
        slot: int,
        fields: Iterable[str],
        *,
        more: bool,
    ) -> Subquery:
        """A page that is read key by key if the keys are few, otherwise in the list's order."""
        *others, last = resource.policy.listing
        keys, fields, order = self._set(within), tuple(fields), self._arguments(slot).reading
        bound = FEW if self._arguments(slot).filter is None else FEW_FILTERED
        few = select(func.count()).select_from(keys).scalar_subquery() <= bound
        own = select(keys.c.key).where(few).subquery("own")
        reach = self._number(slot, "reach_next" if more else "reach")
        # Of most of these rows nothing but their place is needed, and that is often in an index.
        entity = aliased(resource.model)
        found = [getattr(entity, within.column) == own.c.key, *self._asked(resource, entity, slot, where)]
        found += [self._visible(resource, entity, each) for each in others]
        places = self._rows(resource, entity, dict.fromkeys(["id", *(each.field for each in order)]), found)
        newest = places.order_by(*self._order(resource, entity, slot)).limit(reach).lateral("newest")
        merged = select(newest.c.id).select_from(own.join(newest, true()))
        nearest = merged.order_by(*ordered(order, resource, newest)).limit(reach).subquery("nearest")
        entity = aliased(resource.model)
        by_key = self._rows(resource, entity, fields, [entity.id == nearest.c.id])
        entity = aliased(resource.model)
        found = [not_(few), *[self._visible(resource, entity, each) for each in (last, *others)]]
        found += self._asked(resource, entity, slot, where)
        in_order = self._bounded(self._rows(resource, entity, fields, found), self._order(resource, entity, slot), slot)
        both = union_all(by_key, select(*in_order.c)).subquery("found")
        return self._cut(resource, select(*both.c), ordered(order, resource, both), slot, more=more)

    def _cut(
        self, resource: Resource[Any], rows: Select[Any], order: Sequence[ColumnElement[Any]], slot: int, *, more: bool
    ) -> Subquery:
        """The page of rows that have no order yet."""
        bounded = self._bounded(rows, order, slot)
        sorts = ordered(self._arguments(slot).reading, resource, bounded)
        return self._limited(select(*bounded.c).order_by(*sorts), slot, more=more).subquery("page")

    def _bounded(self, rows: Select[Any], order: Sequence[ColumnElement[Any]], slot: int) -> Subquery:
        """Rows in their order, as many as any page may have."""
        bound = self._number(slot, "reach_next") if self._arguments(slot).skip else self.page_size + 1
        return rows.order_by(*order).limit(bound).subquery("bounded")

    def _limited(self, rows: Select[Any], slot: int, *, more: bool) -> Select[Any]:
        rows = rows.limit(self._number(slot, "limit_next" if more else "limit"))
        return rows.offset(self._number(slot, "skip")) if self._arguments(slot).skip else rows

    def _order(self, resource: Resource[Any], entity: Any, slot: int) -> list[ColumnElement[Any]]:
        return order_columns(self._arguments(slot).reading, resource, entity, self.actor)

    def _number(self, slot: int, name: str) -> BindParameter[Any]:
        return self.operand(slot)(name, None, Integer())

    def _rows(
        self, resource: Resource[Any], entity: Any, fields: Iterable[str], found: Sequence[ColumnElement[bool]]
    ) -> Select[Any]:
        columns = [resource.policy.column(name, entity, self.actor).label(name) for name in fields]
        return select(*columns).where(*found)

    def _visible(self, resource: Resource[Any], entity: Any, action: str = "read") -> ColumnElement[bool]:
        """Whether the actor may read a row that has been found by its key or its parent's."""
        within = resource.policy.within(action, self.actor)
        if within is not None:
            return within.among(entity, select(self._set(within).c.key)).is_(true())
        rule = resource.policy.predicate(action, entity, self.actor)
        return rule if self.actor.is_admin else rule.is_(true())

    def _set(self, within: Within) -> CTE:
        if within.keys not in self._sets:
            keys = within.keys().subquery("keys")
            once = select(keys.c[0].label("key")).distinct()
            self._sets[within.keys] = once.cte(f"keys{len(self._sets)}").prefix_with("MATERIALIZED")
        return self._sets[within.keys]

    def _asked(
        self, resource: Resource[Any], entity: Any, slot: int, where: Rule | None, paged: bool = True
    ) -> list[ColumnElement[bool]]:
        """What a list's arguments say about its rows; `paged`: of those between the cursors."""
        arguments, operand = self._arguments(slot), self.operand(slot)
        found = [where(entity)] if where is not None else []
        if arguments.filter is not None:
            found.append(filter_condition(arguments.filter, resource, entity, self.actor, operand))
        if arguments.search is not None:
            found.append(search_condition(arguments.search, entity, operand))
        after, before = self.slots[slot].after, self.slots[slot].before
        if after is not None and paged:
            found.append(after_condition(arguments.order, after, resource, entity, self.actor, operand))
        if before is not None and paged:
            found.append(before_condition(arguments.order, before, resource, entity, self.actor, operand))
        return found


def ordered(order: Sequence[Order], resource: Resource[Any], rows: FromClause) -> list[ColumnElement[Any]]:
    """ORDER BY over the columns of a page."""
    columns = [resource.fields[each.field].sort_key(rows.c[each.field]) for each in order]
    return [column.desc() if each.descending else column.asc() for each, column in zip(order, columns, strict=True)]


def _names_rows(tree: Filter | None) -> bool:
    """Whether a filter can only hold for rows whose identifiers it gives."""
    if isinstance(tree, AllOf):
        return any(_names_rows(part) for part in tree.parts)
    return isinstance(tree, Condition) and tree.field == "id" and tree.operator in (Operator.EQ, Operator.IN)
