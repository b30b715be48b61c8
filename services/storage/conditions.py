"""Filters, searches, orders and cursors, as SQL over an entity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, Final

from sqlalchemy import ARRAY, ColumnElement, and_, any_, bindparam, false, func, literal, not_, or_, true, tuple_
from sqlalchemy.dialects.postgresql import REGCONFIG

from services.catalogue.actors import Actor
from services.catalogue.cursors import Order
from services.catalogue.filters import AllOf, AnyOf, Condition, Filter, Not
from services.catalogue.resources import Resource
from services.catalogue.scalars import Operator
from services.storage.base import SEARCH_LANGUAGE


def _among(column: ColumnElement[Any], values: tuple[Any, ...]) -> ColumnElement[bool]:
    """`column = any(array)`: the text of the statement doesn't depend on the number of values."""
    return column == any_(bindparam(None, list(values), type_=ARRAY(column.type)))


_OPERATORS: Final[dict[Operator, Callable[[ColumnElement[Any], Any], ColumnElement[bool]]]] = {
    Operator.EQ: lambda column, value: column == value,
    Operator.NE: lambda column, value: column.is_distinct_from(value),
    Operator.IN: _among,
    Operator.NOT_IN: lambda column, values: or_(column.is_(None), not_(_among(column, values))),
    Operator.GT: lambda column, value: column > value,
    Operator.GTE: lambda column, value: column >= value,
    Operator.LT: lambda column, value: column < value,
    Operator.LTE: lambda column, value: column <= value,
    Operator.CONTAINS: lambda column, value: column.icontains(value, autoescape=True),
    Operator.STARTS_WITH: lambda column, value: column.istartswith(value, autoescape=True),
    Operator.IS_NULL: lambda column, value: column.is_(None) if value else column.is_not(None),
}


def filter_condition(tree: Filter, resource: Resource[Any], entity: Any, actor: Actor) -> ColumnElement[bool]:
    """A filter, over the fields as the actor may see them."""
    match tree:
        case Condition(field, operator, value):
            return _OPERATORS[operator](resource.policy.column(field, entity, actor), value)
        case AllOf(parts):
            return and_(true(), *(filter_condition(part, resource, entity, actor) for part in parts))
        case AnyOf(parts):
            return or_(false(), *(filter_condition(part, resource, entity, actor) for part in parts))
        case Not(part):
            return filter_condition(part, resource, entity, actor).is_not(true())


def search_condition(text: str, entity: Any) -> ColumnElement[bool]:
    """A search in the syntax of PostgreSQL's websearch_to_tsquery, which has no wrong input."""
    query = func.websearch_to_tsquery(literal(SEARCH_LANGUAGE).cast(REGCONFIG), text)
    matches: ColumnElement[bool] = entity.search_vector.bool_op("@@")(query)
    return matches


def order_columns(
    order: Sequence[Order], resource: Resource[Any], entity: Any, actor: Actor
) -> list[ColumnElement[Any]]:
    """ORDER BY. Nulls sort as PostgreSQL's default has them, so that plain indexes serve."""
    columns = [(resource.policy.column(each.field, entity, actor), each.descending) for each in order]
    return [column.desc() if descending else column.asc() for column, descending in columns]


def after_condition(
    order: Sequence[Order], values: Sequence[Any], resource: Resource[Any], entity: Any, actor: Actor
) -> ColumnElement[bool]:
    """Rows behind the one with these values in this order (keyset pagination), nulls included."""
    columns = [resource.policy.column(each.field, entity, actor) for each in order]
    nullable = any(resource.fields[each.field].nullable for each in order)
    if not nullable and len({each.descending for each in order}) == 1:
        row, bound = tuple_(*columns), tuple_(*(literal(v, c.type) for v, c in zip(values, columns, strict=True)))
        return row < bound if order[0].descending else row > bound

    def behind(rest: ColumnElement[bool], key: tuple[Order, ColumnElement[Any], Any]) -> ColumnElement[bool]:
        each, column, value = key
        equal = column.is_(None) if value is None else column == value
        return or_(_beyond(each, column, value, nullable=resource.fields[each.field].nullable), and_(equal, rest))

    return reduce(behind, reversed(list(zip(order, columns, values, strict=True))), false())


def _beyond(order: Order, column: ColumnElement[Any], value: Any, *, nullable: bool) -> ColumnElement[bool]:
    """Strictly behind the value in one field; null counts as greater than any value."""
    if order.descending:
        return column.is_not(None) if value is None else column < value
    if value is None:
        return false()
    return or_(column > value, column.is_(None)) if nullable else column > value
