"""What every role can do, as it was measured: the cells of the authorization matrix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.parity.calls.answers import Answer
from gateway.parity.calls.ways import Made
from gateway.parity.world.callers import ANONYMOUS_ROLE, BOUND_KEY
from gateway.parity.world.world import ROLES, TARGETS, World
from services.catalogue import Kind
from services.catalogue.resources import Resource

COLUMNS: Final = (ANONYMOUS_ROLE, *ROLES, BOUND_KEY)
NONE: Final = "none"

Line = tuple[str, str]
"""What is called (an operation, a relation of a resource, a masked field), and about which row."""


@dataclass(slots=True)
class Measured:
    """Cells by line and role: of operations and relations, and of masked fields; scopes by what is called."""

    world: World
    calls: dict[Line, dict[str, str]] = field(default_factory=dict)
    masks: dict[Line, dict[str, str]] = field(default_factory=dict)
    scopes: dict[str, str] = field(default_factory=dict)

    def note(self, made: Made, answer: Answer) -> None:
        """Enter the outcome of a call with a first input and all scopes."""
        name = _name(made)
        self.scopes[name] = made.case.scope
        self.calls.setdefault((name, made.case.target), {})[made.caller.column] = self._cell(made, answer)
        if made.operation.kind is Kind.GET and made.operation.on_a_row and not made.case.include:
            self._note_masks(made, answer)

    def _note_masks(self, made: Made, answer: Answer) -> None:
        resource = made.operation.resource
        assert resource is not None
        for name in resource.policy.masks:
            cell = "hidden" if answer.data and answer.data[name] is None else "shown"
            line = (f"{resource.name}.{name}", made.case.target)
            self.masks.setdefault(line, {})[made.caller.column] = str(answer.status) if answer.problem else cell

    def _cell(self, made: Made, answer: Answer) -> str:
        if answer.problem is not None:
            return str(answer.status)
        relation, data, resource = made.include, answer.data, made.operation.resource
        if relation is not None:
            rows = data["data"] if made.operation.kind is Kind.LIST else [data]
            below = [row[relation.name] for row in rows]
            found = [each for part in below if part for each in (part["data"] if relation.many else [part])]
            return self._seen(relation.target, found, made.caller.role)
        if made.operation.kind is Kind.LIST and resource is not None:
            return self._seen(resource, data["data"], made.caller.role)
        if made.operation.kind is Kind.GET and not made.operation.on_a_row and resource is not None:
            return self._seen(resource, [data], made.caller.role)
        return "yes"

    def _seen(self, resource: Resource[Any], rows: list[Mapping[str, Any]], role: str) -> str:
        """Which of the rows that the proof knows are among these."""
        ids = {row["id"] for row in rows}
        known = {target: self.world.row(resource, target, role) for target in TARGETS}
        seen = [target for target, row in known.items() if row is not None and row.id in ids]
        return ", ".join(seen) or ("others" if ids else NONE)


def _name(made: Made) -> str:
    resource = made.operation.resource
    return f"{resource.name}.{made.case.include}" if made.case.include and resource else made.operation.name
