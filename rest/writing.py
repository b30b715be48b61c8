"""What REST answers to a write with: the row, a result, outcomes of a batch, or nothing."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from rest.batches import outcome_members
from rest.http.conditional import JSON, quoted
from rest.http.negotiation import Preference, nothing, preference_headers, preferred
from rest.reading import shown_of
from rest.representation import row_of
from rest.routes import RestRoute
from services.catalogue import ResultModel
from services.engine.gateway import WriteResult


def written(route: RestRoute, request: Request, prefix: str, result: Any, preference: Preference | None) -> Response:
    """The response that shows what came of a write; `preference` says whether rows are wanted."""
    if isinstance(result, ResultModel):  # is told this once, so it is no answer that could be preferred away
        return Response(result.model_dump_json(exclude_none=True).encode(), route.status, None, JSON)
    if result is None:
        return nothing(preference)
    if route.operation is not None and route.operation.entries:
        outcomes = [
            outcome_members(
                route.operation, each, row_of(each.row) if each.row is not None else None,
                with_row=preference is not Preference.MINIMAL,
            )
            for each in result
        ]  # fmt: skip
        return Response(orjson.dumps({"results": outcomes}), 200, preference_headers(preference), JSON)
    assert isinstance(result, WriteResult)
    shown = shown_of(route, result.answer)
    assert shown.tag is not None
    headers = {"ETag": quoted(shown.tag)}
    if route.status == 201 and route.resource is not None:
        base = f"{request.scope.get('root_path', '')}{prefix}/{route.resource.path}"
        headers["Location"] = f"{base}/{route.resource.encode(result.key)}"
    return preferred(route.status, headers, orjson.dumps(shown.body), preference)
