"""What REST answers to a write with: the row, a result, outcomes of a batch, or nothing."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from rest.http.conditional import JSON, quoted
from rest.http.negotiation import Preference
from rest.http.problems import problem_members
from rest.reading import shown_of
from rest.representation import Representation, row_of
from rest.routes import RestRoute, location_of
from services.catalogue import Operation, ResultModel
from services.engine.gateway import WriteResult
from services.queries.batches import EntryOutcome


def written(route: RestRoute, request: Request, prefix: str, result: Any, preference: Preference | None) -> Response:
    """The response that shows what came of a write; `preference` says whether rows are wanted."""
    if isinstance(result, ResultModel):  # is told this once, so it is no answer that could be preferred away
        return Response(result.model_dump_json(exclude_none=True).encode(), route.status, None, JSON)
    applied = {"Preference-Applied": f"return={preference.value}"} if preference is not None else {}
    minimal = preference is Preference.MINIMAL
    if result is None:
        return Response(status_code=204, headers=applied if minimal else None)
    headers = {"Vary": "Prefer", **applied}
    if route.operation is not None and route.operation.entries:
        outcomes = []
        for outcome in result:
            row = row_of(outcome.row) if outcome.row is not None else None
            outcomes.append(outcome_members(route.operation, outcome, row, with_row=not minimal))
        return Response(orjson.dumps({"results": outcomes}), 200, headers, JSON)
    assert isinstance(result, WriteResult)
    shown = shown_of(route, result.answer)
    assert shown.tag is not None
    headers["ETag"] = quoted(shown.tag)
    if route.status == 201 and route.resource is not None:
        headers["Location"] = location_of(request, prefix, route.resource, result.key)
    if minimal:
        return Response(status_code=204 if route.status == 200 else route.status, headers=headers)
    return Response(orjson.dumps(shown.body), route.status, headers, JSON)


def outcome_members(
    operation: Operation, outcome: EntryOutcome, row: Representation | None, *, with_row: bool = True
) -> dict[str, Any]:
    """Return the members of a batch's entry: `status`, `id`, and `problem`, or `etag` and, if `with_row`, `data`."""
    members: dict[str, Any] = {"status": outcome.status}
    if outcome.key is not None:
        assert operation.resource is not None
        members["id"] = operation.resource.encode(outcome.key)
    if outcome.problem is not None:
        members["problem"] = problem_members(outcome.problem)
    elif row is not None:
        members |= {"etag": row.tag} | ({"data": row.body} if with_row else {})
    return members
