"""Filters: what a caller may ask of a list, as a small tree.

Both faces hand over the same plain form, in the services' own names: `{"status": {"in": ["open"]}, "or": [{…}, {…}],
"not": {…}}`; entries of one mapping are all required. `parse_filter` checks it against a resource and types its values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from services.catalogue.models import parse_value
from services.catalogue.problems import Problem
from services.catalogue.scalars import Operator

if TYPE_CHECKING:
    from services.catalogue.resources import Resource

MAX_DEPTH: Final = 5
MAX_CONDITIONS: Final = 50
MAX_VALUES: Final = 100
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


def parse_filter(resource: Resource[Any], data: Any, path: Path = ("filter",)) -> Filter:
    """Check and type a filter. Raises `validation_failed` naming the entry at fault."""
    found = _parse(resource, data, path, 1)
    if sum(1 for _ in conditions(found)) > MAX_CONDITIONS:
        raise Problem.field(path, "length", f"A filter has at most {MAX_CONDITIONS} conditions.")
    return found


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


def _parse(resource: Resource[Any], data: Any, path: Path, depth: int) -> Filter:
    if not isinstance(data, Mapping):
        raise Problem.field(path, "type", "This must be an object.")
    if depth > MAX_DEPTH:
        raise Problem.field(path, "length", f"A filter nests at most {MAX_DEPTH} deep.")
    parts: list[Filter] = []
    for name, value in data.items():
        here = (*path, name)
        if name in ("and", "or"):
            _check_list(value, MAX_CONDITIONS, here)
            inner = tuple(_parse(resource, each, (*here, index), depth + 1) for index, each in enumerate(value))
            parts.append(AllOf(inner) if name == "and" else AnyOf(inner))
        elif name == "not":
            parts.append(Not(_parse(resource, value, here, depth + 1)))
        elif name in resource.filters:
            parts.extend(_conditions(resource, name, value, here))
        else:
            raise Problem.field(here, "unknown", "There is no such filter.")
    return parts[0] if len(parts) == 1 else AllOf(tuple(parts))


def _conditions(resource: Resource[Any], name: str, value: Any, path: Path) -> Iterator[Condition]:
    asked = value if isinstance(value, Mapping) else {"eq": value}
    allowed = resource.fields[name].operators
    for operator, operand in asked.items():
        here = (*path, operator) if asked is value else path
        if operator not in allowed:
            raise Problem.field(here, "unknown", "This field has no such operator.")
        kind = Operator(operator)
        yield Condition(name, kind, _operand(resource, name, kind, operand, here))


def _operand(resource: Resource[Any], name: str, operator: Operator, value: Any, path: Path) -> Any:
    if operator is Operator.IS_NULL:
        if not isinstance(value, bool):
            raise Problem.field(path, "type", "This must be true or false.")
        return value
    if operator in (Operator.IN, Operator.NOT_IN):
        _check_list(value, MAX_VALUES, path)
        return tuple(_value(resource, name, each, (*path, index)) for index, each in enumerate(value))
    return _value(resource, name, value, path)


def _check_list(value: Any, most: int, path: Path) -> None:
    if not isinstance(value, list):
        raise Problem.field(path, "type", "This must be a list.")
    if len(value) > most:
        raise Problem.field(path, "length", f"This should have at most {most} entries.")


def _value(resource: Resource[Any], name: str, value: Any, path: Path) -> Any:
    if isinstance(value, str) and len(value) > MAX_TEXT:
        raise Problem.field(path, "length", f"This should have at most {MAX_TEXT} characters.")
    return parse_value(resource.adapter(name), value, path)
