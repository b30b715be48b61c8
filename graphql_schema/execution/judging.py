"""A planned operation with the values of one call, and what it comes to: the same judge as of the other face."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from graphql_schema.documents.complexity import Judged
from graphql_schema.execution.inputs import NeedsGeneralPathError, Variables
from graphql_schema.execution.plans import MutationPlan, MutationStep, ReadPlan, slots_of
from services.catalogue.batches import OPERATIONS
from services.catalogue.resources import Resource
from services.queries.costs import MINIMUM, query_cost, weigh_write
from services.queries.cursors import CursorCodec
from services.queries.limits import Limits
from services.queries.selections import Input
from services.reader.shapes import BoundInput, bind_input


class Planned(NamedTuple):
    """The plan of an operation, the values of its variables, and the inputs of slots that are always the same."""

    plan: ReadPlan | MutationPlan
    variables: Variables
    fixed: Sequence[BoundInput | None] = ()

    def inputs(self) -> list[Input | BoundInput]:
        """The inputs of what is read. Raises `validation_failed` and NeedsGeneralPathError."""
        assert isinstance(self.plan, ReadPlan)
        variables = self.variables
        return [
            each if each is not None else slot.make(variables)
            for each, slot in zip(self.fixed, self.plan.slots, strict=True)
        ]

    def judge(self, limits: Limits) -> Judged:
        """What it asks for; where something is wrong with a value, what it could ask for at most."""
        if isinstance(self.plan, ReadPlan):
            query = self.plan.query
            rows, points = query_cost(query).weigh([each.weighed(self.variables) for each in self.plan.slots])
            return Judged(rows, max(query.weight + points, MINIMUM), query.related)
        rows, points, is_crowded = 0, 0, False
        related: dict[Resource[Any], None] = {}
        for step in self.plan.steps:
            if not isinstance(step, MutationStep):
                continue
            entries = self._entries(step, limits)
            if entries is not None and entries > limits.batch_entries:
                is_crowded = True  # which is refused, and costs nothing
                continue
            more, cost = weigh_write(
                step.operation, step.shown, [each.weighed(self.variables) for each in step.slots], entries
            )
            rows, points = rows + more, points + cost
            related |= dict.fromkeys(step.shown.related if step.shown is not None else ())
        return Judged(rows, 0 if is_crowded and not points else max(points, MINIMUM), tuple(related))

    def check_inputs(self, cursors: CursorCodec) -> None:
        """Judge the arguments of lists, as far as they are known here, without reading. Raises `validation_failed`."""
        for slot in slots_of(self.plan):
            with suppress(NeedsGeneralPathError):
                bind_input(slot.make(self.variables), slot.resource, cursors)

    def _entries(self, step: MutationStep, limits: Limits) -> int | None:
        try:
            return entries_of(step, step.data(self.variables).get("input"))
        except NeedsGeneralPathError:
            return limits.batch_entries if step.operation.entries else None


def entries_of(step: MutationStep, data: Any) -> int | None:
    """How many entries a batch has; None for what is no batch."""
    if not step.operation.entries:
        return None
    given = data.get(OPERATIONS) if isinstance(data, Mapping) else None
    return len(given) if isinstance(given, Sequence) else 1
