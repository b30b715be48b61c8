"""What the planner makes of an operation: something to read, or something to do, and what either comes to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from graphql_schema.documents.complexity import Judged
from graphql_schema.execution.inputs import Getter, NeedsGeneralPathError, Variables
from services.catalogue import Operation, Problem
from services.catalogue.batches import OPERATIONS
from services.catalogue.resources import Resource
from services.queries.costs import MINIMUM, query_cost, weigh_write
from services.queries.cursors import CursorCodec
from services.queries.limits import Limits
from services.queries.selections import Constant, Input, Query
from services.reader.shapes import BoundInput, bind_input

Locations = list[dict[str, int]]


@dataclass(slots=True)
class Slot:
    """Makes the input of a slot of a call's variables. `fixed`: always the same; `resource`: what a list is of.

    `most`: how many rows its input could stand for, where something is wrong with it.
    """

    make: Callable[[Variables], Input]
    fixed: bool
    resource: Resource[Any] | None = None
    most: Callable[[Variables], int] = lambda _: 1
    bound: BoundInput | None = field(init=False, default=None)
    """The input that is always the same, unless something is wrong with it."""

    def bind_fixed(self, cursors: CursorCodec) -> None:
        """Bind the input if it is always the same."""
        if self.fixed:
            with suppress(NeedsGeneralPathError, Problem):
                self.bound = bind_input(self.make({}), self.resource, cursors)

    def weighed(self, variables: Variables) -> Input | range:
        """Its input, or what has as many entries as that could stand for rows."""
        try:
            return self.make(variables)
        except (NeedsGeneralPathError, Problem):
            return range(self.most(variables))


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """What a query operation reads. `places` are the locations of its root fields, by response name; `rows` are those
    that are an error when there is no such row. `members` is the number of fields.
    """

    query: Query
    slots: Sequence[Slot]
    places: Mapping[str, Locations]
    rows: Sequence[str]
    members: int

    def judge(self, variables: Variables, limits: Limits) -> Judged:
        """What it asks for; where something is wrong with a value, what it could ask for at most."""
        rows, points = query_cost(self.query).weigh([each.weighed(variables) for each in self.slots])
        return Judged(rows, max(self.query.weight + points, MINIMUM), self.query.related)


class Shown(NamedTuple):
    """A member of a payload, or of an object in it: its response name, and the function that shows it of the result."""

    key: str
    show: Callable[[Any], Any]


def shown(members: Sequence[Constant | Shown], result: Any) -> dict[str, Any]:
    """Return what members show of a result."""
    return {each.key: each.value if isinstance(each, Constant) else each.show(result) for each in members}


@dataclass(frozen=True, slots=True)
class MutationStep:
    """One field of a mutation.

    `payload` is shown of the operation's result and the row's key; `rows` reads what it shows of rows, its slots being
    those behind the result's key. `asked` stands for what is to be shown, in one call.
    """

    key: str
    operation: Operation
    data: Getter
    payload: Sequence[Constant | Shown]
    rows: Query | None
    slots: Sequence[Slot]
    places: Locations
    asked: Callable[[Variables], bytes]

    def entries(self, variables: Variables, limits: Limits) -> int | None:
        """How many entries a batch has; None for what is no batch."""
        if not self.operation.entries:
            return None
        try:
            return len(self.data(variables)["input"][OPERATIONS])
        except NeedsGeneralPathError:
            return limits.MAX_BATCH_ENTRIES


@dataclass(frozen=True, slots=True)
class MutationPlan:
    """The fields of a mutation, one after the other. `data` has the constants beside them, and null for each field."""

    steps: Sequence[MutationStep]
    data: Mapping[str, Any]
    members: int

    @property
    def slots(self) -> Sequence[Slot]:
        """The slots of all steps, but for those of the rows that they have written."""
        return [slot for step in self.steps for slot in step.slots]

    def judge(self, variables: Variables, limits: Limits) -> Judged:
        """The same of a mutation."""
        rows, points, is_crowded = 0, 0, False
        related: dict[Resource[Any], None] = {}
        for step in self.steps:
            entries = step.entries(variables, limits)
            if entries is not None and entries > limits.MAX_BATCH_ENTRIES:
                is_crowded = True  # which is refused, and costs nothing
                continue
            inputs = [each.weighed(variables) for each in step.slots]
            more, cost = weigh_write(step.operation, step.rows, inputs, entries)
            rows, points = rows + more, points + cost
            related |= dict.fromkeys(step.rows.related if step.rows is not None else ())
        return Judged(rows, 0 if is_crowded and not points else max(points, MINIMUM), tuple(related))


def check_inputs(plan: Plan, variables: Variables, cursors: CursorCodec) -> None:
    """Judge the arguments of lists, as far as they are known, without reading. Raises `validation_failed`."""
    for slot in plan.slots:
        with suppress(NeedsGeneralPathError):
            bind_input(slot.make(variables), slot.resource, cursors)


Plan = ReadPlan | MutationPlan
