"""What the planner makes of an operation: something to read, or something to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphql_schema.execution.idempotency import Asked
from graphql_schema.execution.inputs import Getter, Variables
from services.catalogue import Operation
from services.catalogue.resources import Resource
from services.queries.selections import Constant, Input, Query

Locations = list[dict[str, int]]


@dataclass(frozen=True, slots=True)
class Slot:
    """Makes the input of a slot of a call's variables. `fixed`: always the same; `resource`: what a list is of."""

    make: Callable[[Variables], Input]
    fixed: bool
    resource: Resource[Any] | None = None


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """What a query operation reads. `places` are the locations of its root fields, by response name.

    `scopes` are those that its resources need, nodes aside, whose slots are in `nodes`. `rows` are the root fields that
    are an error when there is no such row; `noted` is what the access line calls it.
    """

    query: Query
    slots: Sequence[Slot]
    places: Mapping[str, Locations]
    scopes: frozenset[str]
    nodes: Sequence[int]
    rows: Sequence[str]
    noted: str
    weight: int
    """Of the operations it calls."""


@dataclass(frozen=True, slots=True)
class MutationStep:
    """One field of a mutation.

    `payload` says what is shown of the outcome: response name; `row` (the root of `shown` with this name), `result`,
    `results`, `id`, `ok` or `constant`; the values of the result or results, or the constant. The slots are those
    behind the result's key.
    """

    key: str
    operation: Operation
    data: Getter
    payload: Sequence[tuple[str, str, Any]]
    shown: Query | None
    slots: Sequence[Slot]
    places: Locations
    asked: Asked


@dataclass(frozen=True, slots=True)
class MutationPlan:
    """The fields of a mutation, one after the other; constants beside them."""

    steps: Sequence[MutationStep | Constant]


def slots_of(plan: ReadPlan | MutationPlan) -> Iterable[Slot]:
    """The slots of a plan, those of the rows that a mutation has written aside."""
    if isinstance(plan, ReadPlan):
        return plan.slots
    return [slot for step in plan.steps if isinstance(step, MutationStep) for slot in step.slots]
