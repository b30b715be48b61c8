"""Batches as REST shows them: an outcome for each entry, in the entries' order."""

from __future__ import annotations

from typing import Any

from rest.http.problems import problem_members
from rest.reading import TAG
from services.catalogue import Operation
from services.queries.batches import EntryOutcome


def outcome_members(operation: Operation, outcome: EntryOutcome, *, with_row: bool = True) -> dict[str, Any]:
    """`{"status", "id", "etag", "data"}` of what is done, the first two of what is gone, or `{"status", "problem"}`.

    Without the row, there is no `data`.
    """
    found: dict[str, Any] = {"status": outcome.status}
    if outcome.key is not None:
        assert operation.resource is not None
        found["id"] = operation.resource.encode(outcome.key)
    if outcome.problem is not None:
        found["problem"] = problem_members(outcome.problem)
    elif outcome.row is not None:
        row = dict(outcome.row)
        found |= {"etag": row.pop(TAG)} | ({"data": row} if with_row else {})
    return found
