"""Filters: what a caller may ask of a list, as a small tree.

Both faces hand over the same plain form, in the services' own names: `{"status": {"in": ["open"]}, "or": [{…}, {…}],
"not": {…}}`; entries of one mapping are all required. `parse_filter` checks it against a resource and types its values.

What is asked for by accident must not come to more rows than were meant: by a variable that is left out in GraphQL, by
a member that a client has nothing to put into in JSON. So a field's object without operators is refused, and so is a
filter without a condition below `or` and `not`, where it would hold for everything, or for nothing. A filter that is
left out, null or `{}` as a whole is no filter, and neither is `{"and": []}`; of no alternatives (`{"or": []}`,
`{"in": []}`) none holds. No operand may be null: that is what `is_null` is for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic_core import PydanticCustomError

from services.catalogue.models import parse_value, unfit
from services.catalogue.problems import Problem
from services.catalogue.resources import Resource
from services.catalogue.scalars import Operator
from services.catalogue.text import normalised
from services.queries.limits import DEFAULTS, Limits

MAX_TEXT: Final = 500

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Condition:
    """`field operator value`; the value is typed, a tuple for `in` and `not_in`."""

    field: str
    operator: Operator
    value: Any


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every part holds; true when there is none."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part holds; false when there is none."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold (a comparison with null does not hold, so its negation does)."""

    part: Filter


Filter = Condition | AllOf | AnyOf | Not


def parse_filter(resource: Resource[Any], data: Any, path: Path = ("filter",), *, limits: Limits = DEFAULTS) -> Filter:
    """Check and type a filter. Raises `validation_failed` naming the entry at fault."""
    return _Parser(resource, limits).parse(data, path)


def conditions(tree: Filter) -> Iterator[Condition]:
    """Every condition of a filter, from left to right."""
    match tree:
        case Condition():
            yield tree
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from conditions(part)
        case Not(part):
            yield from conditions(part)


class _Parser:
    """One filter being parsed: no condition beyond the last one allowed is looked at."""

    def __init__(self, resource: Resource[Any], limits: Limits) -> None:
        self.resource, self.limits = resource, limits
        self._left = limits.filter_conditions

    def parse(self, data: Any, path: Path) -> Filter:
        """The whole. Raises `validation_failed`."""
        return self._parse(data, path, 1)

    def _parse(self, data: Any, path: Path, depth: int) -> Filter:
        if not isinstance(data, Mapping):
            raise Problem.field(path, "type", "This must be an object.")
        if depth > self.limits.filter_depth:
            raise Problem.field(path, "length", f"A filter nests at most {self.limits.filter_depth} deep.")
        parts: list[Filter] = []
        for name, value in data.items():
            here = (*path, name)
            if name in ("and", "or"):
                _check_list(value, self.limits.filter_conditions, here)
                parse = self._parse if name == "and" else self._asked
                inner = tuple(parse(each, (*here, index), depth + 1) for index, each in enumerate(value))
                parts.append(AllOf(inner) if name == "and" else AnyOf(inner))
            elif name == "not":
                parts.append(Not(self._asked(value, here, depth + 1)))
            elif name in self.resource.filters:
                parts.extend(self._conditions(name, value, here))
            else:
                raise Problem.field(here, "unknown", "There is no such filter.")
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _asked(self, data: Any, path: Path, depth: int) -> Filter:
        """As `_parse`, of a filter that must have a condition."""
        found = self._parse(data, path, depth)
        if next(conditions(found), None) is None:
            raise Problem.field(path, "required", "This must have a condition.")
        return found

    def _conditions(self, name: str, value: Any, path: Path) -> Iterator[Condition]:
        asked = value if isinstance(value, Mapping) else {"eq": value}
        if not asked:
            raise Problem.field(path, "required", "This must have an operator.")
        allowed = self.resource.fields[name].operators
        for operator, operand in asked.items():
            here = (*path, operator) if asked is value else path
            if operator not in allowed:
                raise Problem.field(here, "unknown", "This field has no such operator.")
            self._left -= 1
            if self._left < 0:
                most = self.limits.filter_conditions
                raise Problem.field(path[:1], "length", f"A filter has at most {most} conditions.")
            kind = Operator(operator)
            yield Condition(name, kind, self._operand(name, kind, operand, here))

    def _operand(self, name: str, operator: Operator, value: Any, path: Path) -> Any:
        if operator is Operator.IS_NULL:
            if not isinstance(value, bool):
                raise Problem.field(path, "type", "This must be true or false.")
            return value
        if operator in (Operator.IN, Operator.NOT_IN):
            _check_list(value, self.limits.filter_values, path)
            return tuple(self._entry(name, each, (*path, index)) for index, each in enumerate(value))
        return _value(self.resource, name, value, path)

    def _entry(self, name: str, value: Any, path: Path) -> Any:
        if value is None:
            raise Problem.field(path, "required", "This must not be null.")
        return _value(self.resource, name, value, path)


def _check_list(value: Any, most: int, path: Path) -> None:
    if not isinstance(value, list):
        raise Problem.field(path, "type", "This must be a list.")
    if len(value) > most:
        raise Problem.field(path, "length", f"This should have at most {most} entries.")


def _value(resource: Resource[Any], name: str, value: Any, path: Path) -> Any:
    try:
        value = normalised(value)
    except PydanticCustomError as error:
        raise unfit(error, path) from None
    if isinstance(value, str) and len(value) > MAX_TEXT:
        raise Problem.field(path, "length", f"This should have at most {MAX_TEXT} characters.")
    return parse_value(resource.adapter(name), value, path)
