"""Filters, searches, orders, cursors and relations, as SQL over an entity.

What the caller gave is no part of the text: every value becomes a bind parameter through an `Operand`, which either
carries the value (the general path) or names the place where it will be found (the Reader's plans).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import reduce
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
from services.queries.cursors import Order
from services.queries.filters import AllOf, AnyOf, Condition, Filter, Not
from services.storage.base import SEARCH_LANGUAGE, folded

Operand = Callable[[str, Any, TypeEngine[Any]], BindParameter[Any]]
"""From a name, a value and its type to the parameter that stands for it. Conditions are named `f0`, `f1`… from left to
right, the values of the cursor `after` `a0`, `a1`…, those of `before` `b0`, `b1`…, the text to search for `search`."""


def given(name: str, value: Any, kind: TypeEngine[Any]) -> BindParameter[Any]:
    """The operand that carries its value."""
    return bindparam(None, value, type_=kind)


def _is(column: ColumnElement[Any]) -> TypeEngine[Any]:
    return column.type


def _array(column: ColumnElement[Any]) -> TypeEngine[Any]:
    return ARRAY(column.type)


def _text(column: ColumnElement[Any]) -> TypeEngine[Any]:
    return String()


def _like(column: ColumnElement[Any], pattern: Any) -> ColumnElement[bool]:
    # Selected, the pattern is folded once instead of once for each row.
    return folded(column).like(select(folded(pattern)).scalar_subquery(), escape="/")


_OPERATORS: Final[dict[Operator, tuple[Callable[..., ColumnElement[bool]], Callable[..., TypeEngine[Any]]]]] = {
    Operator.EQ: (lambda column, value: column == value, _is),
    Operator.NE: (lambda column, value: column.is_distinct_from(value), _is),
    # `= any(array)`: the text of the statement doesn't depend on the number of values.
    Operator.IN: (lambda column, values: column == any_(values), _array),
    Operator.NOT_IN: (lambda column, values: or_(column.is_(None), not_(column == any_(values))), _array),
    Operator.GT: (lambda column, value: column > value, _is),
    Operator.GTE: (lambda column, value: column >= value, _is),
    Operator.LT: (lambda column, value: column < value, _is),
    Operator.LTE: (lambda column, value: column <= value, _is),
    Operator.CONTAINS: (_like, _text),
    Operator.STARTS_WITH: (_like, _text),
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
    """What a condition's parameter is bound to."""
    transform = _VALUES.get(condition.operator)
    return condition.value if transform is None else transform(condition.value)


def filter_condition(
    tree: Filter, resource: Resource[Any], entity: Any, actor: Actor, operand: Operand = given
) -> ColumnElement[bool]:
    """A filter, over the fields as the actor may see them."""
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
        compare, kind = _OPERATORS[condition.operator]
        return compare(column, self.operand(name, operand_value(condition), kind(column)))


def search_condition(text: str, entity: Any, operand: Operand = given) -> ColumnElement[bool]:
    """A search, as of services/queries/searching.py, in the syntax of PostgreSQL's websearch_to_tsquery."""
    words = operand("search", text, String())
    query = func.websearch_to_tsquery(literal(SEARCH_LANGUAGE).cast(REGCONFIG), words)
    matches: ColumnElement[bool] = entity.search_vector.bool_op("@@")(query)
    return matches


def linked(relation: Relation, entity: Any, parent: ColumnElement[Any], rows: Select[Any]) -> Select[Any]:
    """Restrict a relation's target to the rows of one parent."""
    if relation.through is None:
        return rows.where(getattr(entity, relation.remote) == parent)
    pairs = relation.through.alias()
    return rows.join(pairs, pairs.c[relation.far] == entity.id).where(pairs.c[relation.near] == parent)


def order_columns(
    order: Sequence[Order], resource: Resource[Any], entity: Any, actor: Actor
) -> list[ColumnElement[Any]]:
    """ORDER BY. Nulls sort as PostgreSQL's default has them, so that plain indexes serve."""
    columns = _sorted_by(order, resource, entity, actor)
    return [column.desc() if each.descending else column.asc() for each, column in zip(order, columns, strict=True)]


def _sorted_by(order: Sequence[Order], resource: Resource[Any], entity: Any, actor: Actor) -> list[ColumnElement[Any]]:
    fields, policy = resource.fields, resource.policy
    return [fields[each.field].sort_key(policy.column(each.field, entity, actor)) for each in order]


def after_condition(
    order: Sequence[Order],
    values: Sequence[Any],
    resource: Resource[Any],
    entity: Any,
    actor: Actor,
    operand: Operand = given,
    *,
    prefix: str = "a",
) -> ColumnElement[bool]:
    """Rows behind the one with these values in this order (keyset pagination), nulls included."""
    columns = _sorted_by(order, resource, entity, actor)
    bounds = [
        None if value is None else resource.fields[each.field].sort_key(operand(f"{prefix}{index}", value, column.type))
        for index, (each, column, value) in enumerate(zip(order, columns, values, strict=True))
    ]
    nullable = any(resource.fields[each.field].nullable for each in order)
    if not nullable and len({each.descending for each in order}) == 1:
        row, bound = tuple_(*columns), tuple_(*bounds)
        return row < bound if order[0].descending else row > bound

    def behind(rest: ColumnElement[bool], key: tuple[Order, ColumnElement[Any], Any]) -> ColumnElement[bool]:
        each, column, value = key
        equal = column.is_(None) if value is None else column == value
        return or_(_beyond(each, column, value, nullable=resource.fields[each.field].nullable), and_(equal, rest))

    return reduce(behind, reversed(list(zip(order, columns, bounds, strict=True))), false())


def before_condition(
    order: Sequence[Order],
    values: Sequence[Any],
    resource: Resource[Any],
    entity: Any,
    actor: Actor,
    operand: Operand = given,
) -> ColumnElement[bool]:
    """Rows before the one with these values: those behind it in the order turned round, the place of nulls included."""
    turned = [each.reversed for each in order]
    return after_condition(turned, values, resource, entity, actor, operand, prefix="b")


def _beyond(order: Order, column: ColumnElement[Any], value: Any, *, nullable: bool) -> ColumnElement[bool]:
    """Strictly behind the value in one field; null counts as greater than any value."""
    if order.descending:
        return column.is_not(None) if value is None else column < value
    if value is None:
        return false()
    return or_(column > value, column.is_(None)) if nullable else column > value
