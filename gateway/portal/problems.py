"""The documentation of every problem type, for people (HTML) and for programs (JSON)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gateway.portal.pages import Html, page, render, stylesheets
from rest.http.negotiation import weighted
from rest.http.problems import PROBLEM_MEDIA_TYPE
from services.catalogue.problems import NOT_FOUND, PROBLEM_TYPES, Problem, ProblemType


def problem_list(request: Request, project_name: str) -> Response:
    """Every problem type: a table, or `{"data": [{type, code, status, title, description}]}`."""
    if not prefers_html(request.headers.get("accept", "")):
        return _json({"data": [_as_dict(kind) for kind in PROBLEM_TYPES.values()]})
    base = request.scope.get("root_path", "")
    rows = "".join(
        render("problem_row.html", base=base, uri=kind.uri, code=kind.code, status=kind.status, title=kind.title)
        for kind in PROBLEM_TYPES.values()
    )
    body = render("problems.html", base=base, project=project_name, rows=Html(rows))
    return _page(f"Problems · {project_name}", body, base)


def problem_detail(request: Request, project_name: str) -> Response:
    """One problem type by its code. Raises `not_found` for an unknown one."""
    kind = PROBLEM_TYPES.get(request.path_params["code"])
    if kind is None:
        raise Problem(NOT_FOUND, "There is no problem type with this code.")
    if not prefers_html(request.headers.get("accept", "")):
        return _json(_as_dict(kind))
    base = request.scope.get("root_path", "")
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
    return _page(f"{kind.code} · {project_name}", body, base)


def problem_page(problem: Problem, project_name: str, base: str) -> Response:
    """One problem as a page, for people who follow a link that leads nowhere; status and headers as in JSON."""
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
    head, headers = stylesheets(base, "theme.css", "page.css"), {**problem.headers(), "Cache-Control": "no-store"}
    title = f"{problem.type.title} · {project_name}"
    return page(title, body, base=base, head=head, vary="Accept", status=problem.type.status, headers=headers)


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


def _prose(description: str) -> Html:
    """A description as HTML: what stands between backticks is code."""
    return Html(re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(description)))


def _as_dict(kind: ProblemType) -> dict[str, Any]:
    return {
        "type": kind.uri,
        "code": kind.code,
        "status": kind.status,
        "title": kind.title,
        "description": kind.description,
    }


def _page(title: str, body: Html, base: str) -> Response:
    return page(title, body, base=base, head=stylesheets(base, "theme.css", "page.css"), vary="Accept")


def _json(content: Mapping[str, Any]) -> Response:
    headers = {"Vary": "Accept", "Cache-Control": "no-cache"}
    return Response(orjson.dumps(content), headers=headers, media_type="application/json")
