"""The documentation of every problem type, for people (HTML) and for programs (JSON)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gateway.portal.pages import page
from rest.http.negotiation import weighted
from rest.http.problems import PROBLEM_MEDIA_TYPE
from services.catalogue.problems import NOT_FOUND, PROBLEM_TYPES, Problem, ProblemType


def problem_list(request: Request, project_name: str) -> Response:
    """Every problem type: a table, or `{"data": [{type, code, status, title, description}]}`."""
    if not prefers_html(request.headers.get("accept", "")):
        return _json({"data": [_as_dict(kind) for kind in PROBLEM_TYPES.values()]})
    base = request.scope.get("root_path", "")
    return page(
        "problems.html", base=base, vary="Accept", title="Problems", project=project_name, kinds=PROBLEM_TYPES.values()
    )


def problem_detail(request: Request, project_name: str) -> Response:
    """One problem type by its code. Raises `not_found` for an unknown one."""
    kind = PROBLEM_TYPES.get(request.path_params["code"])
    if kind is None:
        raise Problem(NOT_FOUND, "There is no problem type with this code.")
    if not prefers_html(request.headers.get("accept", "")):
        return _json(_as_dict(kind))
    base = request.scope.get("root_path", "")
    example = orjson.dumps(Problem(kind).members(), option=orjson.OPT_INDENT_2).decode()
    return page(
        "problem.html", base=base, vary="Accept", title=kind.code, project=project_name, kind=kind, example=example
    )


def problem_page(problem: Problem, project_name: str, base: str) -> Response:
    """One problem as a page, for people who follow a link that leads nowhere; status and headers as in JSON."""
    return page(
        "problem_occurred.html", base=base, vary="Accept", status=problem.type.status,
        headers={**problem.headers(), "Cache-Control": "no-store"}, title=problem.type.title, project=project_name,
        kind=problem.type, detail=_lead(problem), request_id=problem.extra.get("request_id"),
    )  # fmt: skip


def _lead(problem: Problem) -> str:
    if problem.detail != problem.type.title:
        return problem.detail
    return "No page is at this address." if problem.type is NOT_FOUND else ""


def prefers_html(accept: str) -> bool:
    """Whether an `Accept` header (RFC 9110, 12.5.1) names text/html, and no JSON that it wants more."""
    weights: dict[str, float] = {}
    for kind, weight in weighted(accept):
        weights[kind] = max(weight, weights.get(kind, 0))
    html = weights.get("text/html", 0)
    return html > 0 and all(html >= weights.get(each, 0) for each in ("application/json", PROBLEM_MEDIA_TYPE))


def _as_dict(kind: ProblemType) -> dict[str, Any]:
    return {
        "type": kind.uri,
        "code": kind.code,
        "status": kind.status,
        "title": kind.title,
        "description": kind.description,
    }


def _json(content: Mapping[str, Any]) -> Response:
    headers = {"Vary": "Accept", "Cache-Control": "no-cache"}
    return Response(orjson.dumps(content), headers=headers, media_type="application/json")
