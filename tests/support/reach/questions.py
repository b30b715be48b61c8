"""Conditions on fields, made of what the caller must not see, and the rows that hold for what they may see."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from services.catalogue.resources import Resource
from services.catalogue.scalars import Operator
from services.catalogue.text import fold
from tests.support.reach.callers import Caller
from tests.support.reach.rows import Marked
from tests.support.reach.world import World

EVERY: Final = "secret-"
"""What every text in the world starts with."""

_HOLDS: Final[dict[Operator, Callable[[Any, Any], bool]]] = {
    Operator.EQ: lambda value, operand: value is not None and value == operand,
    Operator.NE: lambda value, operand: value is None or value != operand,
    Operator.IN: lambda value, operand: value is not None and value in operand,
    Operator.NOT_IN: lambda value, operand: value is None or value not in operand,
    Operator.GT: lambda value, operand: value is not None and value > operand,
    Operator.GTE: lambda value, operand: value is not None and value >= operand,
    Operator.LT: lambda value, operand: value is not None and value < operand,
    Operator.LTE: lambda value, operand: value is not None and value <= operand,
    Operator.CONTAINS: lambda value, operand: value is not None and fold(operand) in fold(value),
    Operator.STARTS_WITH: lambda value, operand: value is not None and fold(value).startswith(fold(operand)),
    Operator.IS_NULL: lambda value, operand: (value is None) is operand,
}


@dataclass(frozen=True)
class Question:
    """A condition on one field; the operand is a Python value."""

    resource: Resource[Any]
    field: str
    operator: Operator
    operand: Any

    @property
    def plain(self) -> dict[str, Any]:
        """The filter, as both faces' plain form has it."""
        operand = self.operand
        if isinstance(operand, list):
            operand = [self.resource.serialise(self.field, each) for each in operand]
        elif self.operator is not Operator.IS_NULL:
            operand = self.resource.serialise(self.field, operand)
        return {self.field: {self.operator.value: operand}}

    def answer(self, world: World, caller: Caller, rows: Mapping[UUID, Marked]) -> set[UUID]:
        """Which of the rows it holds for, as the caller sees them."""
        holds = _HOLDS[self.operator]
        return {key for key, row in rows.items() if holds(world.value(caller, row, self.field), self.operand)}


def questions(world: World, resource: Resource[Any], caller: Caller) -> Iterator[Question]:
    """Every operator of every field that can be filtered, with what the caller cannot see of it."""
    for name in resource.filters:
        hidden = _hidden(world, resource, caller, name)
        for operator in resource.fields[name].operators:
            for operand in _operands(operator, hidden):
                yield Question(resource, name, operator, operand)


def sharp(world: World, resource: Resource[Any], caller: Caller) -> Iterator[Question]:
    """Of each field the questions that every hidden row would answer."""
    for each in questions(world, resource, caller):
        if each.operator in (Operator.IN, Operator.GTE) or each.operand == EVERY:
            yield each


def _hidden(world: World, resource: Resource[Any], caller: Caller, field: str) -> list[Any]:
    """The different values of a field that the caller cannot see; of any row where there is none."""
    visible, found = world.visible(caller, resource), []
    for row in world.of(resource):
        real = row.derived[field] if field in row.derived else row.values[field]
        seen = world.value(caller, row, field) if row.key in visible else None
        if real is not None and seen != real and real not in found:
            found.append(real)
    return found or [row.values[field] for row in world.of(resource)][:1]


def _operands(operator: Operator, hidden: list[Any]) -> list[Any]:
    if operator is Operator.IS_NULL:
        return [True, False]
    if operator in (Operator.IN, Operator.NOT_IN):
        return [hidden]
    if operator in (Operator.CONTAINS, Operator.STARTS_WITH):
        return [hidden[0], EVERY]
    if operator in (Operator.GT, Operator.GTE):
        return [min(hidden)]
    return [max(hidden)] if operator in (Operator.LT, Operator.LTE) else [hidden[0], hidden[-1]]
