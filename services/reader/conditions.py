"""SQL conditions of filters, searches, orders, cursors and relations.

No value of a caller becomes part of the text: each is a bind parameter made by an `Operand`, which either holds the
value (the general path) or names the parameter to be bound later (the Reader's plans).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
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
from services.queries.cursors import CursorCodec, SortTerm
from services.queries.filters import AllOf, AnyOf, Condition, Filter, Not
from services.queries.lists import ListArguments
from services.storage.base import SEARCH_LANGUAGE, folded

Operand = Callable[[str, Any, TypeEngine[Any]], BindParameter[Any]]
"""Returns the parameter for a name, a value and its type.

Conditions are named `f0`, `f1`… from left to right, the values of the cursor `after` `a0`, `a1`…, those of `before`
`b0`, `b1`…, and the search `search`.
"""

CursorValues = tuple[tuple[Any, ...] | None, tuple[Any, ...] | None]


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


def cursor_values(resource: Resource[Any], arguments: ListArguments, cursors: CursorCodec) -> CursorValues:
    """Return the values of the cursors `after` and `before`. Raises `validation_failed` for one of another list."""
    after = before = None
    if arguments.after is not None:
        after = cursors.decode(resource, arguments.order, arguments.after)
    if arguments.before is not None:
        before = cursors.decode(resource, arguments.order, arguments.before, ("before",))
    return after, before


@dataclass(slots=True)
class Conditions:
    """Conditions on the rows of an entity, whose fields are as the actor may see them."""

    resource: Resource[Any]
    entity: Any
    actor: Actor
    operand: Operand = given
    _names: Iterator[str] = field(init=False, default_factory=lambda: (f"f{number}" for number in count()))

    def requested(
        self, arguments: ListArguments, after: Sequence[Any] | None = None, before: Sequence[Any] | None = None
    ) -> list[ColumnElement[bool]]:
        """Return the conditions of a list's filter and search, and of the values of its cursors."""
        conditions = []
        if arguments.filter is not None:
            conditions.append(self._filter(arguments.filter))
        if arguments.search is not None:
            conditions.append(self._search(arguments.search))
        if after is not None:
            conditions.append(self._after(arguments.order, after, "a"))
        if before is not None:
            conditions.append(self._after([term.reversed for term in arguments.order], before, "b"))
        return conditions

    def column(self, name: str) -> ColumnElement[Any]:
        return self.resource.policy.column(name, self.entity, self.actor)

    def _filter(self, tree: Filter) -> ColumnElement[bool]:
        match tree:
            case Condition():
                return self._comparison(tree)
            case AllOf(parts):
                return and_(true(), *[self._filter(part) for part in parts])
            case AnyOf(parts):
                return or_(false(), *[self._filter(part) for part in parts])
            case Not(part):
                return self._filter(part).is_not(true())

    def _comparison(self, condition: Condition) -> ColumnElement[bool]:
        name, column = next(self._names), self.column(condition.field)
        if condition.operator is Operator.IS_NULL:
            return column.is_(None) if condition.value else column.is_not(None)
        kind: TypeEngine[Any] = column.type
        if condition.operator in (Operator.IN, Operator.NOT_IN):
            kind = ARRAY(column.type)
        elif condition.operator in (Operator.CONTAINS, Operator.STARTS_WITH):
            kind = String()
        return _OPERATORS[condition.operator](column, self.operand(name, operand_value(condition), kind))

    def _search(self, text: str) -> ColumnElement[bool]:
        """Return the condition of a search, which is in the syntax of websearch_to_tsquery."""
        query = func.websearch_to_tsquery(
            literal(SEARCH_LANGUAGE).cast(REGCONFIG), self.operand("search", text, String())
        )
        matches: ColumnElement[bool] = self.entity.search_vector.bool_op("@@")(query)
        return matches

    def _after(self, order: Sequence[SortTerm], values: Sequence[Any], prefix: str) -> ColumnElement[bool]:
        """Return the condition for rows after the one with these values in this order: keyset pagination with nulls."""
        kinds = [self.resource.fields[term.field] for term in order]
        columns = [kind.sort_key(self.column(term.field)) for kind, term in zip(kinds, order, strict=True)]
        bounds = [
            None if value is None else kind.sort_key(self.operand(f"{prefix}{index}", value, column.type))
            for index, (kind, column, value) in enumerate(zip(kinds, columns, values, strict=True))
        ]
        if not any(kind.nullable for kind in kinds) and len({term.descending for term in order}) == 1:
            row, bound = tuple_(*columns), tuple_(*bounds)
            return row < bound if order[0].descending else row > bound

        condition: ColumnElement[bool] = false()
        for term, kind, column, value in reversed(list(zip(order, kinds, columns, bounds, strict=True))):
            equal = column.is_(None) if value is None else column == value
            beyond = _beyond(term, column, value, nullable=kind.nullable)
            condition = or_(beyond, and_(equal, condition))
        return condition


def order_columns(
    order: Sequence[SortTerm], resource: Resource[Any], column: Callable[[str], ColumnElement[Any]]
) -> list[ColumnElement[Any]]:
    """Return the ORDER BY expressions. Nulls sort by PostgreSQL's default, so that plain indexes apply."""
    keys = [resource.fields[term.field].sort_key(column(term.field)) for term in order]
    return [key.desc() if term.descending else key.asc() for term, key in zip(order, keys, strict=True)]


def linked(relation: Relation, entity: Any, parent: ColumnElement[Any], rows: Select[Any]) -> Select[Any]:
    """Restrict a relation's target to the rows of one parent."""
    if relation.through is None:
        return rows.where(getattr(entity, relation.remote) == parent)
    pairs = relation.through.alias()
    return rows.join(pairs, pairs.c[relation.far] == entity.id).where(pairs.c[relation.near] == parent)


def _beyond(order: SortTerm, column: ColumnElement[Any], value: Any, *, nullable: bool) -> ColumnElement[bool]:
    """Return whether the column is strictly after the value; null counts as greater than any value."""
    if order.descending:
        return column.is_not(None) if value is None else column < value
    if value is None:
        return false()
    return or_(column > value, column.is_(None)) if nullable else column > value
