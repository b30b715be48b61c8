"""The outcomes of batches in JSON."""

from __future__ import annotations

from typing import Any

from rest.http.problems import problem_members
from rest.representation import Representation
from services.catalogue import Operation
from services.queries.batches import EntryOutcome


def outcome_members(
    operation: Operation, outcome: EntryOutcome, row: Representation | None, *, with_row: bool = True
) -> dict[str, Any]:
    """Return the members of an outcome: `status`, `id`, and `problem`, or `etag` and `data` of the row if it is left.

    `with_row=False` leaves out `data`.
    """
    members: dict[str, Any] = {"status": outcome.status}
    if outcome.key is not None:
        assert operation.resource is not None
        members["id"] = operation.resource.encode(outcome.key)
    if outcome.problem is not None:
        members["problem"] = problem_members(outcome.problem)
    elif row is not None:
        members |= {"etag": row.tag} | ({"data": row.body} if with_row else {})
    return members
