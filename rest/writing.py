"""What REST answers to a write with: the row, a result, outcomes of a batch, or nothing."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from rest.batches import outcome_members
from rest.http.conditional import JSON, quoted
from rest.http.negotiation import Preference, nothing, preference_headers, preferred
from rest.reading import KEY, TAG
from rest.routes import RestRoute
from services.catalogue import ResultModel
from services.engine.gateway import Shown


def written(route: RestRoute, request: Request, prefix: str, result: Any, preference: Preference | None) -> Response:
    """The response that shows what came of a write; `preference` says whether rows are wanted."""
    if isinstance(result, ResultModel):  # is told this once, so it is no answer that could be preferred away
        return Response(result.model_dump_json(exclude_none=True).encode(), route.status, None, JSON)
    if result is None:
        return nothing(preference)
    if route.operation is not None and route.operation.entries:
        is_minimal = preference is Preference.MINIMAL
        outcomes = [outcome_members(route.operation, each, with_row=not is_minimal) for each in result]
        return Response(orjson.dumps({"results": outcomes}), 200, preference_headers(preference), JSON)
    assert isinstance(result, Shown)
    shown = result.answer[KEY]
    headers = {"ETag": quoted(shown.pop(TAG))}
    if route.status == 201 and route.resource is not None:
        base = f"{request.scope.get('root_path', '')}{prefix}/{route.resource.path}"
        headers["Location"] = f"{base}/{route.resource.encode(result.key)}"
    return preferred(route.status, headers, orjson.dumps(shown), preference)
