"""Sends `Deprecation` (RFC 9745), `Sunset` (RFC 8594) and `Link` with the answers to uses of deprecated members.

An operation is used by a call, a field by selecting, filtering or sorting by it, and a member of an input by sending
it. A whole representation does not count as a use of its deprecated fields. The body of a form with a file is not read
here; what it says about the file is known once the endpoint has read it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, date, datetime, time
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request
from starlette.responses import Response

from rest.files.forms import is_form, said_of_the_file
from rest.http.negotiation import media_type
from rest.http.problems import Endpoint, problem_response
from rest.oauth2 import FORM
from rest.query import BRACKETED, Parameters, list_parameter, parameters
from rest.routes import RestRoute
from rest.searching import parse_search
from services.catalogue import Deprecation, Operation, Problem
from services.catalogue.batches import OPERATIONS
from services.catalogue.deprecation import deprecations_of
from services.catalogue.resources import Resource
from services.process import observation

FACE = "rest"


def watched(route: RestRoute, endpoint: Endpoint) -> Endpoint:
    """Wrap an endpoint so that its answers have the header fields, unless its requests can use nothing deprecated."""
    if not _can_use(route):
        return endpoint

    async def endpoint_with_headers(request: Request) -> Response:
        content_type = media_type(request.headers.get("content-type", ""))
        body = b"" if is_form(content_type) else await request.body()
        used = dict(_used(route, request.scope["query_string"], body, content_type))
        observation.note_deprecated(FACE, used)
        try:
            response = await endpoint(request)
        except Problem as problem:
            response = problem_response(problem)
        if route.operation is not None:
            used |= dict(_called(route.operation, said_of_the_file(request)))
            observation.note_deprecated(FACE, used)
        for name, value in header_fields(used.values()):
            response.headers.append(name, value)
        return response

    return endpoint_with_headers


def header_fields(deprecations: Collection[Deprecation]) -> Iterator[tuple[str, str]]:
    """Yield the header fields for what was used: the earliest date of each kind, and every link."""
    if not deprecations:
        return
    # The Date of structured fields (RFC 9651, section 3.3.7) is in seconds since 1970.
    yield "Deprecation", f"@{int(_midnight(min(used.since for used in deprecations)).timestamp())}"
    sunsets = [used.sunset for used in deprecations if used.sunset is not None]
    if sunsets:
        yield "Sunset", format_datetime(_midnight(min(sunsets)), usegmt=True)
    for link in dict.fromkeys(used.link for used in deprecations if used.link):
        yield "Link", f'<{link}>; rel="deprecation"'


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _can_use(route: RestRoute) -> bool:
    operation = route.operation
    for called in (operation, *operation.entries.values()) if operation is not None else ():
        if called.deprecated or (called.input and deprecations_of(called.input)):
            return True
    return route.resource is not None and any(deprecations_of(related.read) for related in _related(route.resource))


def _related(resource: Resource[Any]) -> set[Resource[Any]]:
    """Return a resource and those that its relations lead to."""
    related, new = {resource}, {resource}
    while new:
        new = {relation.target for source in new for relation in source.relations.values()} - related
        related |= new
    return related


def _used(route: RestRoute, query_string: bytes, body: bytes, content_type: str) -> Iterator[tuple[str, Deprecation]]:
    """Yield the deprecated members that a request uses, by the names that both faces count them under."""
    operation, resource = route.operation, route.resource
    if operation is not None:
        members = dict(parse_qsl(body.decode("latin-1"))) if content_type == FORM else _members(body)
        yield from _called(operation, members)
    if resource is None:
        return
    try:
        given = parse_search(body) if route.is_search else parameters(query_string)
    except Problem:  # the endpoint raises it again
        return
    for owner, name in _fields(resource, given, is_list=route.is_list):
        deprecation = deprecations_of(owner.read).get(name)
        if deprecation is not None:
            yield f"{owner.name}.{name}", deprecation


def _called(operation: Operation, members: Mapping[str, Any]) -> Iterator[tuple[str, Deprecation]]:
    """Yield what a call with these members of the input uses, with the entries of a batch."""
    if operation.deprecated is not None:
        yield operation.name, operation.deprecated
    for name, deprecation in deprecations_of(operation.input).items() if operation.input is not None else ():
        if name in members:
            yield f"{operation.name}.{name}", deprecation
    entries = members.get(OPERATIONS) if operation.entries else None
    for entry in entries if isinstance(entries, list) else ():
        for verb, called in operation.entries.items():
            if isinstance(entry, dict) and verb in entry:
                yield from _called(called, entry[verb] if isinstance(entry[verb], dict) else {})


def _members(body: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _fields(resource: Resource[Any], given: Parameters, *, is_list: bool) -> Iterator[tuple[Resource[Any], str]]:
    """Yield the fields that parameters name, each with its resource."""
    for path in list_parameter(given, "fields"):
        *steps, name = path.split(".")
        owner = resource
        for step in steps:
            if step not in owner.relations:
                break
            owner = owner.relations[step].target
        else:
            yield owner, name
    if is_list:
        names = [key.removeprefix("-") for key in list_parameter(given, "sort")]
        names += [bracketed[1] if (bracketed := BRACKETED.fullmatch(name)) else name for name in given]
        for name in (*names, *_filtered_fields(given.get("filter", [""])[0])):
            yield resource, name


def _filtered_fields(text: str) -> Iterator[str]:
    pending: list[Any] = [_members(text.encode(errors="replace"))]
    while pending:
        condition = pending.pop()
        if isinstance(condition, list):
            pending += condition
        elif isinstance(condition, dict):
            pending += [condition[name] for name in ("and", "or", "not") if name in condition]
            yield from condition
