"""Parsing of filters into a small tree of conditions.

Both faces pass the same plain form, with the services' field names: `{"status": {"in": ["open"]}, "or": [{…}, {…}],
"not": {…}}`; all entries of one mapping must hold. `parse_filter` validates it for a resource and converts its values.

A filter must not match more rows than intended because a client left out a variable (GraphQL) or a member (JSON). So a
field's object without operators is refused, and so is a filter without a condition below `or` and `not`, where it would
match everything or nothing. A filter that is omitted, null or `{}` as a whole matches everything, as does `{"and":
[]}`; an empty list of alternatives (`{"or": []}`, `{"in": []}`) matches nothing. No operand may be null: `is_null`
serves that purpose.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic_core import PydanticCustomError

from services.catalogue.models import parse_value
from services.catalogue.problems import Problem
from services.catalogue.resources import Resource
from services.catalogue.scalars import Operator
from services.catalogue.text import normalised
from services.queries.limits import DEFAULTS, Limits

MAX_TEXT: Final = 500

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Condition:
    """`field operator value`. The value has the field's type; it is a tuple for `in` and `not_in`."""

    field: str
    operator: Operator
    value: Any


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every part holds; true without parts."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part holds; false without parts."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold. A comparison with null does not hold, so its negation does."""

    part: Filter


Filter = Condition | AllOf | AnyOf | Not


def parse_filter(resource: Resource[Any], data: Any, path: Path = ("filter",), *, limits: Limits = DEFAULTS) -> Filter:
    """Validate a filter and convert its values. Raises `validation_failed` with the path of the invalid entry."""
    return _Parser(resource, limits).parse(data, path, depth=1)


def conditions(tree: Filter) -> Iterator[Condition]:
    """Yield every condition of a filter, from left to right."""
    match tree:
        case Condition():
            yield tree
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from conditions(part)
        case Not(part):
            yield from conditions(part)


class _Parser:
    """Parser of one filter, which stops at the first condition beyond the limit."""

    def __init__(self, resource: Resource[Any], limits: Limits) -> None:
        self.resource, self.limits = resource, limits
        self._conditions_left = limits.MAX_FILTER_CONDITIONS

    def parse(self, data: Any, path: Path, depth: int) -> Filter:
        if not isinstance(data, Mapping):
            raise Problem.field(path, "type", "This must be an object.")
        if depth > self.limits.MAX_FILTER_DEPTH:
            raise Problem.field(path, "length", f"A filter nests at most {self.limits.MAX_FILTER_DEPTH} deep.")
        parts: list[Filter] = []
        for name, value in data.items():
            here = (*path, name)
            if name in ("and", "or"):
                _check_list(value, self.limits.MAX_FILTER_CONDITIONS, here)
                parse = self.parse if name == "and" else self._non_empty
                inner = tuple(parse(part, (*here, index), depth + 1) for index, part in enumerate(value))
                parts.append(AllOf(inner) if name == "and" else AnyOf(inner))
            elif name == "not":
                parts.append(Not(self._non_empty(value, here, depth + 1)))
            elif name in self.resource.filters:
                parts.extend(self._conditions(name, value, here))
            else:
                raise Problem.field(here, "unknown", "There is no such filter.")
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _non_empty(self, data: Any, path: Path, depth: int) -> Filter:
        parsed = self.parse(data, path, depth)
        if next(conditions(parsed), None) is None:
            raise Problem.field(path, "required", "This must have a condition.")
        return parsed

    def _conditions(self, name: str, value: Any, path: Path) -> Iterator[Condition]:
        operands = value if isinstance(value, Mapping) else {"eq": value}
        if not operands:
            raise Problem.field(path, "required", "This must have an operator.")
        allowed = self.resource.fields[name].operators
        for operator, operand in operands.items():
            here = (*path, operator) if operands is value else path
            if operator not in allowed:
                raise Problem.field(here, "unknown", "This field has no such operator.")
            self._conditions_left -= 1
            if self._conditions_left < 0:
                limit = self.limits.MAX_FILTER_CONDITIONS
                raise Problem.field(path[:1], "length", f"A filter has at most {limit} conditions.")
            kind = Operator(operator)
            yield Condition(name, kind, self._operand(name, kind, operand, here))

    def _operand(self, name: str, operator: Operator, value: Any, path: Path) -> Any:
        if operator is Operator.IS_NULL:
            if not isinstance(value, bool):
                raise Problem.field(path, "type", "This must be true or false.")
            return value
        if operator in (Operator.IN, Operator.NOT_IN):
            _check_list(value, self.limits.MAX_FILTER_VALUES, path)
            return tuple(self._entry(name, entry, (*path, index)) for index, entry in enumerate(value))
        return _value(self.resource, name, value, path)

    def _entry(self, name: str, value: Any, path: Path) -> Any:
        if value is None:
            raise Problem.field(path, "required", "This must not be null.")
        return _value(self.resource, name, value, path)


def _check_list(value: Any, limit: int, path: Path) -> None:
    if not isinstance(value, list):
        raise Problem.field(path, "type", "This must be a list.")
    if len(value) > limit:
        raise Problem.field(path, "length", f"This should have at most {limit} entries.")


def _value(resource: Resource[Any], name: str, value: Any, path: Path) -> Any:
    try:
        value = normalised(value)
    except PydanticCustomError as error:
        raise Problem.field(path, "format", error.message()) from None
    if isinstance(value, str) and len(value) > MAX_TEXT:
        raise Problem.field(path, "length", f"This should have at most {MAX_TEXT} characters.")
    return parse_value(resource.adapter(name), value, path)
