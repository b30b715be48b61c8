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
    and_,
    any_,
    func,
    not_,
    select,
    true,
    union_all,
)

from services.catalogue.actors import Actor
from services.catalogue.policies import Within
from services.catalogue.resources import Resource
from services.catalogue.scalars import Operator
from services.queries.filters import AllOf, Condition, Filter
from services.queries.lists import ListArguments
from services.queries.selections import ListRoot, Many, RowRoot
from services.reader.conditions import Conditions, Operand, linked, order_columns
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

    def top(self, root: ListRoot, fields: Sequence[str], *, more: bool) -> Subquery:
        """Return a page of a resource. With `more` it includes the first row of the next page, if there is one."""
        resource, arguments = root.resource, self._arguments(root.slot)
        *other_actions, last_action = resource.policy.listing
        within = resource.policy.within(last_action, self.actor)
        if within is not None and arguments.search is None and not _names_rows(arguments.filter):
            return self._from_either_end(root, within, fields, more=more)
        entity = Entity(resource.model)
        if within is None:
            visible = resource.policy.predicate(last_action, entity, self.actor)
        else:
            visible = self._visible(resource, entity, last_action)
        conditions = [visible, *[self._visible(resource, entity, action) for action in other_actions]]
        rows = self._rows(resource, entity, fields, [*conditions, *self._requested(root, resource, entity)])
        return self._page(root, rows, self._order(resource, entity, root.slot), more=more)

    def below(self, member: Many, parent: ColumnElement[Any], fields: Iterable[str], *, more: bool) -> FromClause:
        """Return a page of a to-many relation of the row with the key `parent`."""
        resource, entity = member.relation.target, Entity(member.relation.target.model)
        conditions = [self._visible(resource, entity), *self._requested(member, resource, entity)]
        rows = linked(member.relation, entity, parent, self._rows(resource, entity, fields, conditions))
        rows = rows.order_by(*self._order(resource, entity, member.slot))
        return self._limited(rows, member.slot, more=more).lateral("page")

    def one(self, root: RowRoot, fields: Iterable[str]) -> Subquery:
        """Return the row with the slot's key, or the one that satisfies a rule."""
        entity = Entity(root.resource.model)
        conditions = [root.resource.policy.predicate("read", entity, self.actor)]
        if root.where is not None:
            conditions.append(root.where(entity))
        if root.slot is not None:
            conditions.append(entity.id == self._operand(root.slot)("k0", None, Uuid()))
        rows = self._rows(root.resource, entity, fields, conditions)
        return (rows if root.where is None else rows.limit(1)).subquery("page")

    def several(self, resource: Resource[Any], slot: int, place: int, fields: Iterable[str]) -> Subquery:
        """Return the rows of one resource among a slot's identifiers."""
        entity = Entity(resource.model)
        keys = self._operand(slot)(f"n{place}", None, ARRAY(Uuid()))
        conditions = [entity.id == any_(keys), resource.policy.predicate("read", entity, self.actor)]
        return self._rows(resource, entity, fields, conditions).subquery("page")

    def joined(self, target: Resource[Any], key: ColumnElement[Any]) -> tuple[Any, ColumnElement[bool]]:
        """Return the entity of a to-one relation's row, and the condition of the join."""
        entity = Entity(target.model)
        return entity, and_(entity.id == key, self._visible(target, entity))

    def size(self, root: ListRoot) -> ScalarSelect[Any]:
        """Return the size of a whole list."""
        resource, entity = root.resource, Entity(root.resource.model)
        rules = [resource.policy.predicate(action, entity, self.actor) for action in resource.policy.listing]
        conditions = [*rules, *self._requested(root, resource, entity, paged=False)]
        return select(func.count()).select_from(entity).where(*conditions).scalar_subquery()

    def size_below(self, member: Many, parent: ColumnElement[Any]) -> ScalarSelect[Any]:
        """Return the size of the whole of a to-many relation of one row."""
        resource, entity = member.relation.target, Entity(member.relation.target.model)
        conditions = [self._visible(resource, entity), *self._requested(member, resource, entity, paged=False)]
        counted = select(func.count()).select_from(entity).where(*conditions)
        return linked(member.relation, entity, parent, counted).scalar_subquery()

    def _operand(self, slot: int) -> Operand:
        return lambda name, _value, kind: given(f"{slot}_{name}", kind)

    def _arguments(self, slot: int) -> ListArguments:
        arguments = self.slots[slot].arguments
        assert arguments is not None
        return arguments

    def _from_either_end(self, root: ListRoot, within: Within, fields: Sequence[str], *, more: bool) -> Subquery:
        """Return a page that is read key by key if there are few keys, otherwise in the list's order."""
        resource, arguments = root.resource, self._arguments(root.slot)
        *other_actions, last_action = resource.policy.listing
        few_keys = FEW if arguments.filter is None else FEW_FILTERED
        few = select(func.count()).select_from(self._key_set(within)).scalar_subquery() <= few_keys

        nearest = self._nearest(root, within, few, more=more)
        entity = Entity(resource.model)
        by_key = self._rows(resource, entity, fields, [entity.id == nearest.c.id])

        entity = Entity(resource.model)
        visible = [self._visible(resource, entity, action) for action in (last_action, *other_actions)]
        conditions = [not_(few), *visible, *self._requested(root, resource, entity)]
        rows = self._rows(resource, entity, fields, conditions)
        in_order = self._bounded(rows, self._order(resource, entity, root.slot), root.slot)

        both = union_all(by_key, select(*in_order.c)).subquery("found")
        order = order_columns(arguments.reading, resource, both.c.__getitem__)
        return self._page(root, select(*both.c), order, more=more)

    def _nearest(self, root: ListRoot, within: Within, few: ColumnElement[bool], *, more: bool) -> Subquery:
        """Return the identifiers of the first rows in order, read key by key; none unless `few`."""
        resource, order = root.resource, self._arguments(root.slot).reading
        *other_actions, _ = resource.policy.listing
        own = select(self._key_set(within).c.key).where(few).subquery("own")
        reach = self._number(root.slot, "reach_next" if more else "reach")
        entity = Entity(resource.model)
        conditions = [getattr(entity, within.column) == own.c.key, *self._requested(root, resource, entity)]
        conditions += [self._visible(resource, entity, action) for action in other_actions]
        # Most of these rows are discarded. The order's fields suffice to merge them, and are often in an index.
        fields = dict.fromkeys(["id", *(term.field for term in order)])
        rows = self._rows(resource, entity, fields, conditions)
        newest = rows.order_by(*self._order(resource, entity, root.slot)).limit(reach).lateral("newest")
        merged = select(newest.c.id).select_from(own.join(newest, true()))
        sorts = order_columns(order, resource, newest.c.__getitem__)
        return merged.order_by(*sorts).limit(reach).subquery("nearest")

    def _page(self, root: ListRoot, rows: Select[Any], order: Sequence[ColumnElement[Any]], *, more: bool) -> Subquery:
        bounded = self._bounded(rows, order, root.slot)
        sorts = order_columns(self._arguments(root.slot).reading, root.resource, bounded.c.__getitem__)
        return self._limited(select(*bounded.c).order_by(*sorts), root.slot, more=more).subquery("page")

    def _bounded(self, rows: Select[Any], order: Sequence[ColumnElement[Any]], slot: int) -> Subquery:
        """Limit rows in their order to the highest number that a page may have."""
        bound = self._number(slot, "reach_next") if self._arguments(slot).skip else self.page_size + 1
        return rows.order_by(*order).limit(bound).subquery("bounded")

    def _limited(self, rows: Select[Any], slot: int, *, more: bool) -> Select[Any]:
        rows = rows.limit(self._number(slot, "limit_next" if more else "limit"))
        return rows.offset(self._number(slot, "skip")) if self._arguments(slot).skip else rows

    def _order(self, resource: Resource[Any], entity: Any, slot: int) -> list[ColumnElement[Any]]:
        column = Conditions(resource, entity, self.actor).column
        return order_columns(self._arguments(slot).reading, resource, column)

    def _number(self, slot: int, name: str) -> BindParameter[Any]:
        return self._operand(slot)(name, None, Integer())

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
        self, member: ListRoot | Many, resource: Resource[Any], entity: Any, *, paged: bool = True
    ) -> list[ColumnElement[bool]]:
        """Return the conditions of a list and its arguments; those of its cursors only with `paged`."""
        bound = self.slots[member.slot]
        conditions = Conditions(resource, entity, self.actor, self._operand(member.slot))
        cursors = (bound.after, bound.before) if paged else (None, None)
        rules = [member.where(entity)] if isinstance(member, ListRoot) and member.where is not None else []
        return [*rules, *conditions.requested(self._arguments(member.slot), *cursors)]


def _names_rows(tree: Filter | None) -> bool:
    """Return whether a filter only matches rows whose identifiers it contains."""
    if isinstance(tree, AllOf):
        return any(_names_rows(part) for part in tree.parts)
    return isinstance(tree, Condition) and tree.field == "id" and tree.operator in (Operator.EQ, Operator.IN)
