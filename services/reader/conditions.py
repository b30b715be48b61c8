"""SQL conditions of filters, searches, orders, cursors and relations.

No value of a caller becomes part of the text: each is a bind parameter made by an `Operand`, which either holds the
value (the general path) or names the parameter to be bound later (the Reader's plans).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    BindParameter,
    ColumnElement,
    Select,
    String,
    and_,
    any_,
    bindparam,
    false,
    func,
    literal,
    not_,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import REGCONFIG
from sqlalchemy.types import TypeEngine

from services.catalogue.actors import Actor
from services.catalogue.resources import Relation, Resource
from services.catalogue.scalars import Operator
from services.queries.cursors import SortTerm
from services.queries.filters import AllOf, AnyOf, Condition, Filter, Not
from services.storage.base import SEARCH_LANGUAGE, folded

Operand = Callable[[str, Any, TypeEngine[Any]], BindParameter[Any]]
"""Returns the parameter for a name, a value and its type.

Conditions are named `f0`, `f1`… from left to right, the values of the cursor `after` `a0`, `a1`…, those of `before`
`b0`, `b1`…, and the search `search`.
"""


def given(name: str, value: Any, kind: TypeEngine[Any]) -> BindParameter[Any]:
    """Return a parameter that holds its value."""
    return bindparam(None, value, type_=kind)


def _like(column: ColumnElement[Any], pattern: Any) -> ColumnElement[bool]:
    # As a scalar subquery the pattern is folded once instead of once for each row.
    return folded(column).like(select(folded(pattern)).scalar_subquery(), escape="/")


_OPERATORS: Final[dict[Operator, Callable[..., ColumnElement[bool]]]] = {
    Operator.EQ: operator.eq,
    Operator.NE: lambda column, value: column.is_distinct_from(value),
    # `= any(array)`: the text of the statement doesn't depend on the number of values.
    Operator.IN: lambda column, values: column == any_(values),
    Operator.NOT_IN: lambda column, values: or_(column.is_(None), not_(column == any_(values))),
    Operator.GT: operator.gt,
    Operator.GTE: operator.ge,
    Operator.LT: operator.lt,
    Operator.LTE: operator.le,
    Operator.CONTAINS: _like,
    Operator.STARTS_WITH: _like,
}


def _escaped(text: str) -> str:
    return text.replace("/", "//").replace("%", "/%").replace("_", "/_")


_VALUES: Final[dict[Operator, Callable[[Any], Any]]] = {
    Operator.IN: list,
    Operator.NOT_IN: list,
    Operator.CONTAINS: lambda text: f"%{_escaped(text)}%",
    Operator.STARTS_WITH: lambda text: f"{_escaped(text)}%",
}


def operand_value(condition: Condition) -> Any:
    """Return the value that a condition's parameter is bound to."""
    transform = _VALUES.get(condition.operator)
    return condition.value if transform is None else transform(condition.value)


def filter_condition(
    tree: Filter, resource: Resource[Any], entity: Any, actor: Actor, operand: Operand = given
) -> ColumnElement[bool]:
    """Return the condition of a filter on the fields as the actor may see them."""
    return _Filters(resource, entity, actor, operand).condition(tree)


class _Filters:
    def __init__(self, resource: Resource[Any], entity: Any, actor: Actor, operand: Operand) -> None:
        self.resource, self.entity, self.actor, self.operand = resource, entity, actor, operand
        self.names: Iterator[str] = (f"f{number}" for number in count())

    def condition(self, tree: Filter) -> ColumnElement[bool]:
        match tree:
            case Condition():
                return self._comparison(tree)
            case AllOf(parts):
                return and_(true(), *[self.condition(part) for part in parts])
            case AnyOf(parts):
                return or_(false(), *[self.condition(part) for part in parts])
            case Not(part):
                return self.condition(part).is_not(true())

    def _comparison(self, condition: Condition) -> ColumnElement[bool]:
        name, column = next(self.names), self.resource.policy.column(condition.field, self.entity, self.actor)
        if condition.operator is Operator.IS_NULL:
            return column.is_(None) if condition.value else column.is_not(None)
        kind: TypeEngine[Any] = column.type
        if condition.operator in (Operator.IN, Operator.NOT_IN):
            kind = ARRAY(column.type)
        elif condition.operator in (Operator.CONTAINS, Operator.STARTS_WITH):
            kind = String()
        return _OPERATORS[condition.operator](column, self.operand(name, operand_value(condition), kind))


def search_condition(text: str, entity: Any, operand: Operand = given) -> ColumnElement[bool]:
    """Return the condition of a search, which is in the syntax of websearch_to_tsquery."""
    query = func.websearch_to_tsquery(literal(SEARCH_LANGUAGE).cast(REGCONFIG), operand("search", text, String()))
    matches: ColumnElement[bool] = entity.search_vector.bool_op("@@")(query)
    return matches


def linked(relation: Relation, entity: Any, parent: ColumnElement[Any], rows: Select[Any]) -> Select[Any]:
    """Restrict a relation's target to the rows of one parent."""
    if relation.through is None:
        return rows.where(getattr(entity, relation.remote) == parent)
    pairs = relation.through.alias()
    return rows.join(pairs, pairs.c[relation.far] == entity.id).where(pairs.c[relation.near] == parent)


def order_columns(
    order: Sequence[SortTerm], resource: Resource[Any], entity: Any, actor: Actor
) -> list[ColumnElement[Any]]:
    """Return the ORDER BY expressions. Nulls sort by PostgreSQL's default, so that plain indexes apply."""
    columns = _sorted_by(order, resource, entity, actor)
    return [column.desc() if term.descending else column.asc() for term, column in zip(order, columns, strict=True)]


def _sorted_by(
    order: Sequence[SortTerm], resource: Resource[Any], entity: Any, actor: Actor
) -> list[ColumnElement[Any]]:
    fields, policy = resource.fields, resource.policy
    return [fields[term.field].sort_key(policy.column(term.field, entity, actor)) for term in order]


def after_condition(
    order: Sequence[SortTerm],
    values: Sequence[Any],
    resource: Resource[Any],
    entity: Any,
    actor: Actor,
    operand: Operand = given,
    *,
    prefix: str = "a",
) -> ColumnElement[bool]:
    """Return the condition for rows after the one with these values in this order: keyset pagination with nulls."""
    columns = _sorted_by(order, resource, entity, actor)
    bounds = [
        None if value is None else resource.fields[term.field].sort_key(operand(f"{prefix}{index}", value, column.type))
        for index, (term, column, value) in enumerate(zip(order, columns, values, strict=True))
    ]
    nullable = any(resource.fields[term.field].nullable for term in order)
    if not nullable and len({term.descending for term in order}) == 1:
        row, bound = tuple_(*columns), tuple_(*bounds)
        return row < bound if order[0].descending else row > bound

    condition: ColumnElement[bool] = false()
    for term, column, value in reversed(list(zip(order, columns, bounds, strict=True))):
        equal = column.is_(None) if value is None else column == value
        beyond = _beyond(term, column, value, nullable=resource.fields[term.field].nullable)
        condition = or_(beyond, and_(equal, condition))
    return condition


def before_condition(
    order: Sequence[SortTerm],
    values: Sequence[Any],
    resource: Resource[Any],
    entity: Any,
    actor: Actor,
    operand: Operand = given,
) -> ColumnElement[bool]:
    """Return the condition for rows before the one with these values in this order, nulls included."""
    reversed_order = [term.reversed for term in order]
    return after_condition(reversed_order, values, resource, entity, actor, operand, prefix="b")


def _beyond(order: SortTerm, column: ColumnElement[Any], value: Any, *, nullable: bool) -> ColumnElement[bool]:
    """Return whether the column is strictly after the value; null counts as greater than any value."""
    if order.descending:
        return column.is_not(None) if value is None else column < value
    if value is None:
        return false()
    return or_(column > value, column.is_(None)) if nullable else column > value
