"""What the planner makes of an operation: something to read, or something to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphql_schema.execution.idempotency import Asked
from graphql_schema.execution.inputs import Getter, NeedsGeneralPathError, Variables
from services.catalogue import Operation, Problem
from services.catalogue.resources import Resource
from services.queries.selections import Constant, Input, Query

Locations = list[dict[str, int]]


@dataclass(frozen=True, slots=True)
class Slot:
    """Makes the input of a slot of a call's variables. `fixed`: always the same; `resource`: what a list is of.

    `most`: how many rows its input could stand for, where something is wrong with it.
    """

    make: Callable[[Variables], Input]
    fixed: bool
    resource: Resource[Any] | None = None
    most: Callable[[Variables], int] = lambda _: 1

    def weighed(self, variables: Variables) -> Input | range:
        """Its input, or what has as many entries as that could stand for rows."""
        try:
            return self.make(variables)
        except (NeedsGeneralPathError, Problem):
            return range(self.most(variables))


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """What a query operation reads. `places` are the locations of its root fields, by response name; `rows` are those
    that are an error when there is no such row.
    """

    query: Query
    slots: Sequence[Slot]
    places: Mapping[str, Locations]
    rows: Sequence[str]


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
