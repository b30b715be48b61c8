"""Pages of lists as SQL, restricted by the policies of their resources.

The plan of a policy matters as much as the policy. A policy of the form `column in (the actor's keys)`
(policies.Within) is handled as follows:

- A top-level list can be read in two ways: in its order, skipping rows with other keys (efficient if the actor may read
  much of it), or key by key, merging the newest rows of each key (efficient if there are few keys). The planner cannot
  choose, because a prepared plan is made for no particular actor and rows are rarely distributed evenly. So the
  statement contains both and counts the keys to choose; the other half is never executed. A search, or a filter for
  identifiers, is selective by itself and needs neither.
- Further down, rows are found by their parents, and the keys are a set, selected once a statement, in which each row is
  looked up. `… is true` prevents PostgreSQL from converting that to a join.

The planner assumes that an unknown limit is a tenth of the table. If a list's order is that of an index, an additional
constant limit prevents it from sorting the table.

A backward page is read in the reversed order, by the same indexes, and reversed again where the level becomes arrays
(levels.py).
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
from sqlalchemy.types import TypeEngine

from services.catalogue.actors import Actor
from services.catalogue.policies import Rule, Within
from services.catalogue.resources import Relation, Resource
from services.catalogue.scalars import Operator
from services.queries.cursors import SortTerm
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
from services.reader.entities import Entity
from services.reader.shapes import BoundInput
from services.storage.prepared import given

FEW: Final = 100
FEW_FILTERED: Final = 500
"""The highest number of keys for which a list is read key by key, without and with a filter.

The selectivity of a filter is unknown: scanning all rows for a few matches is worse than scanning too many of the
actor's own.
"""


class Pages:
    """Builds the pages of one statement, of `page_size` rows at most. Columns are named after the fields."""

    def __init__(self, actor: Actor, slots: Sequence[BoundInput], page_size: int) -> None:
        self.actor, self.slots, self.page_size = actor, slots, page_size
        self._key_sets: dict[Callable[[], Select[Any]], CTE] = {}

    def top(
        self, resource: Resource[Any], where: Rule | None, slot: int, fields: Iterable[str], *, more: bool
    ) -> Subquery:
        """Return a page of a resource. With `more` it includes the first row of the next page, if there is one."""
        arguments = self._arguments(slot)
        *other_actions, last_action = resource.policy.listing
        within = resource.policy.within(last_action, self.actor)
        if within is not None and arguments.search is None and not _names_rows(arguments.filter):
            return self._from_either_end(resource, within, where, slot, fields, more=more)
        entity = Entity(resource.model)
        if within is None:
            visible = resource.policy.predicate(last_action, entity, self.actor)
        else:
            visible = self._visible(resource, entity, last_action)
        conditions = [visible, *[self._visible(resource, entity, action) for action in other_actions]]
        rows = self._rows(resource, entity, fields, [*conditions, *self._requested(resource, entity, slot, where)])
        return self._page(resource, rows, self._order(resource, entity, slot), slot, more=more)

    def below(
        self, relation: Relation, slot: int, parent: ColumnElement[Any], fields: Iterable[str], *, more: bool
    ) -> FromClause:
        """Return a page of a to-many relation of the row with the key `parent`."""
        resource, entity = relation.target, Entity(relation.target.model)
        conditions = [self._visible(resource, entity), *self._requested(resource, entity, slot, None)]
        rows = linked(relation, entity, parent, self._rows(resource, entity, fields, conditions))
        rows = rows.order_by(*self._order(resource, entity, slot))
        return self._limited(rows, slot, more=more).lateral("page")

    def one(self, resource: Resource[Any], where: Rule | None, slot: int | None, fields: Iterable[str]) -> Subquery:
        """Return the row with the slot's key, or the one that satisfies a rule."""
        entity = Entity(resource.model)
        conditions = [resource.policy.predicate("read", entity, self.actor)]
        if where is not None:
            conditions.append(where(entity))
        if slot is not None:
            conditions.append(entity.id == self.operand(slot)("k0", None, Uuid()))
        rows = self._rows(resource, entity, fields, conditions)
        return (rows if where is None else rows.limit(1)).subquery("page")

    def several(self, resource: Resource[Any], slot: int, place: int, fields: Iterable[str]) -> Subquery:
        """Return the rows of one resource among a slot's identifiers."""
        entity = Entity(resource.model)
        keys = self.operand(slot)(f"n{place}", None, ARRAY(Uuid()))
        conditions = [entity.id == any_(keys), resource.policy.predicate("read", entity, self.actor)]
        return self._rows(resource, entity, fields, conditions).subquery("page")

    def joined(self, target: Resource[Any], key: ColumnElement[Any]) -> tuple[Any, list[ColumnElement[bool]]]:
        """Return the entity of a to-one relation's row, and the conditions of the join."""
        entity = Entity(target.model)
        return entity, [entity.id == key, self._visible(target, entity)]

    def size(self, resource: Resource[Any], where: Rule | None, slot: int) -> ScalarSelect[Any]:
        """Return the size of a whole list."""
        entity = Entity(resource.model)
        rules = [resource.policy.predicate(action, entity, self.actor) for action in resource.policy.listing]
        conditions = [*rules, *self._requested(resource, entity, slot, where, False)]
        return select(func.count()).select_from(entity).where(*conditions).scalar_subquery()

    def size_below(self, relation: Relation, slot: int, parent: ColumnElement[Any]) -> ScalarSelect[Any]:
        """Return the size of the whole of a to-many relation of one row."""
        resource, entity = relation.target, Entity(relation.target.model)
        conditions = [self._visible(resource, entity), *self._requested(resource, entity, slot, None, False)]
        counted = select(func.count()).select_from(entity).where(*conditions)
        return linked(relation, entity, parent, counted).scalar_subquery()

    def operand(self, slot: int) -> Operand:
        """Return the function that names the parameters of a slot."""

        def parameter(name: str, _value: Any, kind: TypeEngine[Any]) -> BindParameter[Any]:
            return given(f"{slot}_{name}", kind)

        return parameter

    def _arguments(self, slot: int) -> ListArguments:
        arguments = self.slots[slot].arguments
        assert arguments is not None
        return arguments

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
        """Return a page that is read key by key if there are few keys, otherwise in the list's order."""
        *other_actions, last_action = resource.policy.listing
        fields, order = tuple(fields), self._arguments(slot).reading
        few_keys = FEW if self._arguments(slot).filter is None else FEW_FILTERED
        few = select(func.count()).select_from(self._key_set(within)).scalar_subquery() <= few_keys

        nearest = self._nearest(resource, within, where, slot, few, more=more)
        entity = Entity(resource.model)
        by_key = self._rows(resource, entity, fields, [entity.id == nearest.c.id])

        entity = Entity(resource.model)
        visible = [self._visible(resource, entity, action) for action in (last_action, *other_actions)]
        conditions = [not_(few), *visible, *self._requested(resource, entity, slot, where)]
        rows = self._rows(resource, entity, fields, conditions)
        in_order = self._bounded(rows, self._order(resource, entity, slot), slot)

        both = union_all(by_key, select(*in_order.c)).subquery("found")
        return self._page(resource, select(*both.c), ordered(order, resource, both), slot, more=more)

    def _nearest(
        self,
        resource: Resource[Any],
        within: Within,
        where: Rule | None,
        slot: int,
        few: ColumnElement[bool],
        *,
        more: bool,
    ) -> Subquery:
        """Return the identifiers of the first rows in order, read key by key; none unless `few`."""
        *other_actions, _ = resource.policy.listing
        order = self._arguments(slot).reading
        own = select(self._key_set(within).c.key).where(few).subquery("own")
        reach = self._number(slot, "reach_next" if more else "reach")
        entity = Entity(resource.model)
        conditions = [getattr(entity, within.column) == own.c.key, *self._requested(resource, entity, slot, where)]
        conditions += [self._visible(resource, entity, action) for action in other_actions]
        # Most of these rows are discarded. The order's fields suffice to merge them, and are often in an index.
        fields = dict.fromkeys(["id", *(term.field for term in order)])
        rows = self._rows(resource, entity, fields, conditions)
        newest = rows.order_by(*self._order(resource, entity, slot)).limit(reach).lateral("newest")
        merged = select(newest.c.id).select_from(own.join(newest, true()))
        return merged.order_by(*ordered(order, resource, newest)).limit(reach).subquery("nearest")

    def _page(
        self, resource: Resource[Any], rows: Select[Any], order: Sequence[ColumnElement[Any]], slot: int, *, more: bool
    ) -> Subquery:
        """Return the page of unordered rows."""
        bounded = self._bounded(rows, order, slot)
        sorts = ordered(self._arguments(slot).reading, resource, bounded)
        return self._limited(select(*bounded.c).order_by(*sorts), slot, more=more).subquery("page")

    def _bounded(self, rows: Select[Any], order: Sequence[ColumnElement[Any]], slot: int) -> Subquery:
        """Limit rows in their order to the highest number that a page may have."""
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
        self, resource: Resource[Any], entity: Any, fields: Iterable[str], conditions: Sequence[ColumnElement[bool]]
    ) -> Select[Any]:
        columns = [resource.policy.column(name, entity, self.actor).label(name) for name in fields]
        return select(*columns).where(*conditions)

    def _visible(self, resource: Resource[Any], entity: Any, action: str = "read") -> ColumnElement[bool]:
        """Return whether the actor may read a row that is found by its key or its parent's."""
        within = resource.policy.within(action, self.actor)
        if within is not None:
            return within.among(entity, select(self._key_set(within).c.key)).is_(true())
        rule = resource.policy.predicate(action, entity, self.actor)
        return rule if self.actor.is_admin else rule.is_(true())

    def _key_set(self, within: Within) -> CTE:
        if within.keys not in self._key_sets:
            keys = within.keys().subquery("keys")
            once = select(keys.c[0].label("key")).distinct()
            self._key_sets[within.keys] = once.cte(f"keys{len(self._key_sets)}").prefix_with("MATERIALIZED")
        return self._key_sets[within.keys]

    def _requested(
        self, resource: Resource[Any], entity: Any, slot: int, where: Rule | None, paged: bool = True
    ) -> list[ColumnElement[bool]]:
        """Return the conditions of a list's arguments; those of its cursors only with `paged`."""
        arguments, operand = self._arguments(slot), self.operand(slot)
        conditions = [where(entity)] if where is not None else []
        if arguments.filter is not None:
            conditions.append(filter_condition(arguments.filter, resource, entity, self.actor, operand))
        if arguments.search is not None:
            conditions.append(search_condition(arguments.search, entity, operand))
        after, before = self.slots[slot].after, self.slots[slot].before
        if after is not None and paged:
            conditions.append(after_condition(arguments.order, after, resource, entity, self.actor, operand))
        if before is not None and paged:
            conditions.append(before_condition(arguments.order, before, resource, entity, self.actor, operand))
        return conditions


def ordered(order: Sequence[SortTerm], resource: Resource[Any], rows: FromClause) -> list[ColumnElement[Any]]:
    """Return ORDER BY expressions over the columns of a page."""
    columns = [resource.fields[term.field].sort_key(rows.c[term.field]) for term in order]
    return [column.desc() if term.descending else column.asc() for term, column in zip(order, columns, strict=True)]


def _names_rows(tree: Filter | None) -> bool:
    """Return whether a filter only matches rows whose identifiers it contains."""
    if isinstance(tree, AllOf):
        return any(_names_rows(part) for part in tree.parts)
    return isinstance(tree, Condition) and tree.field == "id" and tree.operator in (Operator.EQ, Operator.IN)
