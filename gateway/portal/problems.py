"""The documentation of every problem type, as HTML and as JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gateway.portal.pages import Html, base_path, page, render
from rest.http.negotiation import JSON, weighted
from rest.http.problems import PROBLEM_MEDIA_TYPE
from services.catalogue.problems import NOT_FOUND, PROBLEM_TYPES, Problem, ProblemType


def problem_list(request: Request, project_name: str) -> Response:
    """List every problem type: as a table, or as `{"data": [{type, code, status, title, description}]}`."""
    if not prefers_html(request.headers.get("accept", "")):
        return _json({"data": [_as_dict(kind) for kind in PROBLEM_TYPES.values()]})
    base = base_path(request)
    rows = "".join(
        render("problem_row.html", base=base, uri=kind.uri, code=kind.code, status=kind.status, title=kind.title)
        for kind in PROBLEM_TYPES.values()
    )
    body = render("problems.html", base=base, project=project_name, rows=Html(rows))
    return page(f"Problems · {project_name}", body, base=base, vary="Accept")


def problem_detail(request: Request, project_name: str) -> Response:
    """Show a problem type by its code. Raises `not_found` for an unknown one."""
    kind = PROBLEM_TYPES.get(request.path_params["code"])
    if kind is None:
        raise Problem(NOT_FOUND, "There is no problem type with this code.")
    if not prefers_html(request.headers.get("accept", "")):
        return _json(_as_dict(kind))
    base = base_path(request)
    example = orjson.dumps(Problem(kind).members(), option=orjson.OPT_INDENT_2).decode()
    body = render(
        "problem.html",
        base=base,
        project=project_name,
        code=kind.code,
        status=kind.status,
        title=kind.title,
        description=_prose(kind.description),
        example=example,
    )
    return page(f"{kind.code} · {project_name}", body, base=base, vary="Accept")


def problem_page(problem: Problem, project_name: str, base: str) -> Response:
    """Return a problem as a page for browsers, with the status and the headers of its JSON form."""
    request_id = problem.extra.get("request_id")
    body = render(
        "problem_occurred.html",
        base=base,
        project=project_name,
        code=problem.type.code,
        uri=problem.type.uri,
        status=problem.type.status,
        title=problem.type.title,
        detail=_lead(problem),
        request=render("problem_request.html", id=request_id) if request_id else Html(),
    )
    headers = {**problem.headers(), "Cache-Control": "no-store"}
    title = f"{problem.type.title} · {project_name}"
    return page(title, body, base=base, vary="Accept", status=problem.type.status, headers=headers)


def _lead(problem: Problem) -> str:
    if problem.detail != problem.type.title:
        return problem.detail
    return "No page is at this address." if problem.type is NOT_FOUND else ""


def prefers_html(accept: str) -> bool:
    """Return whether an `Accept` header (RFC 9110, 12.5.1) names text/html with a weight not below that of JSON."""
    weights = weighted(accept)
    html = max((weight for media_type, weight in weights if media_type == "text/html"), default=0.0)
    json = max((weight for media_type, weight in weights if media_type in (JSON, PROBLEM_MEDIA_TYPE)), default=0.0)
    return html > 0 and html >= json


def _prose(description: str) -> Html:
    """Return a description as HTML, with the text between backticks as code."""
    return Html(re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(description)))


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
