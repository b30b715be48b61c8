"""The documentation of every problem type, for people (HTML) and for programs (JSON)."""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gateway.portal.pages import base_of, page
from rest.http.negotiation import weighted
from rest.http.problems import PROBLEM_MEDIA_TYPE
from services.catalogue.problems import NOT_FOUND, PROBLEM_TYPES, Problem, ProblemType


async def problem_list(project_name: str, request: Request) -> Response:
    """Every problem type: a table, or `{"data": [{type, code, status, title, description}]}`."""
    if not prefers_html(request.headers.get("accept", "")):
        return _json({"data": [_as_dict(kind) for kind in PROBLEM_TYPES.values()]})
    return page(
        "problems.html", base=base_of(request), vary="Accept", title="Problems", project=project_name,
        kinds=PROBLEM_TYPES.values(),
    )  # fmt: skip


async def problem_detail(project_name: str, request: Request) -> Response:
    """One problem type by its code. Raises `not_found` for an unknown one."""
    kind = PROBLEM_TYPES.get(request.path_params["code"])
    if kind is None:
        raise Problem(NOT_FOUND, "There is no problem type with this code.")
    if not prefers_html(request.headers.get("accept", "")):
        return _json(_as_dict(kind))
    example = orjson.dumps(Problem(kind).members(), option=orjson.OPT_INDENT_2).decode()
    return page(
        "problem.html", base=base_of(request), vary="Accept", title=kind.code, project=project_name, kind=kind,
        example=example,
    )  # fmt: skip


def problem_page(problem: Problem, project_name: str, base: str) -> Response:
    """One problem as a page, for people who follow a link that leads nowhere; status and headers as in JSON."""
    lead = "No page is at this address." if problem.type is NOT_FOUND else ""
    if problem.detail != problem.type.title:
        lead = problem.detail
    return page(
        "problem_occurred.html", base=base, vary="Accept", status=problem.type.status,
        headers={**problem.headers(), "Cache-Control": "no-store"}, title=problem.type.title, project=project_name,
        kind=problem.type, detail=lead, request_id=problem.extra.get("request_id"),
    )  # fmt: skip


def prefers_html(accept: str) -> bool:
    """Whether an `Accept` header (RFC 9110, 12.5.1) names text/html, and no JSON that it wants more."""
    weights = dict(sorted(weighted(accept), key=itemgetter(1)))  # of a type named twice, the higher weight counts
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
