"""The cells of the authorization matrix: what every role can do, as measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.parity.calls.answers import CallResult
from gateway.parity.calls.ways import Invocation
from gateway.parity.world.world import ANONYMOUS_ROLE, BOUND_KEY, ROLES, TARGETS, World, resource_of
from services.catalogue import Kind
from services.catalogue.resources import Resource

COLUMNS: Final = (ANONYMOUS_ROLE, *ROLES, BOUND_KEY)
SCOPE: Final = "scope"

Line = tuple[str, str]
"""The name of an operation, of a resource's relation or of a masked field, and the target row."""


@dataclass(slots=True)
class MeasuredMatrix:
    """Cells by line and column; the lines of operations and relations have a column for scopes as well."""

    world: World
    lines: dict[Line, dict[str, str]] = field(default_factory=dict)

    def note(self, made: Invocation, answer: CallResult) -> None:
        """Enter the outcome of a recorded call with all scopes."""
        include = made.case.include
        name = f"{resource_of(made.operation).name}.{include}" if include else made.operation.name
        row = self.lines.setdefault((name, made.case.target), {SCOPE: made.case.scope})
        row[made.caller.column] = self._cell(made, answer)
        if made.operation.kind is Kind.GET and made.operation.on_a_row and not include:
            resource = resource_of(made.operation)
            for mask in resource.policy.masks:
                cell = "hidden" if answer.data and answer.data[mask] is None else "shown"
                masked = self.lines.setdefault((f"{resource.name}.{mask}", made.case.target), {})
                masked[made.caller.column] = str(answer.status) if answer.problem else cell

    def _cell(self, made: Invocation, answer: CallResult) -> str:
        if answer.problem is not None:
            return str(answer.status)
        relation, data, is_list = made.include, answer.data, made.operation.kind is Kind.LIST
        rows = data["data"] if is_list else [data]
        if relation is not None:
            related = [row[relation.name] for row in rows]
            found = [row for value in related if value for row in (value["data"] if relation.many else [value])]
            return self._seen(relation.target, found, made.caller.role)
        if is_list or (made.operation.kind is Kind.GET and not made.operation.on_a_row):
            return self._seen(resource_of(made.operation), rows, made.caller.role)
        return "yes"

    def _seen(self, resource: Resource[Any], rows: list[Mapping[str, Any]], role: str) -> str:
        """Return the targets whose rows are among these."""
        ids = {row["id"] for row in rows}
        known = {target: self.world.row(resource, target, role) for target in TARGETS}
        seen = [target for target, row in known.items() if row is not None and row.id in ids]
        return ", ".join(seen) or ("others" if ids else "none")
