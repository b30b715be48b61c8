"""Batches as REST shows them: an outcome for each entry, in the entries' order."""

from __future__ import annotations

from typing import Any

from rest.problems import problem_members
from services.catalogue import Operation
from services.catalogue.batches import EntryOutcome


def outcome_members(operation: Operation, outcome: EntryOutcome) -> dict[str, Any]:
    """`{"status", "id", "data"}` of what is done (no data of what is deleted), or `{"status", "problem"}`."""
    found: dict[str, Any] = {"status": outcome.status}
    if outcome.key is not None:
        assert operation.resource is not None
        found["id"] = operation.resource.encode(outcome.key)
    if outcome.problem is not None:
        found["problem"] = problem_members(outcome.problem)
    elif outcome.row is not None:
        found["data"] = outcome.row
    return found
