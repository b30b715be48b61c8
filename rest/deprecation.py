"""Deprecation on REST: `Deprecation` (RFC 9745), `Sunset` (RFC 8594) and a link, where what is deprecated is used.

Used is an operation that is called, a field that is asked for, filtered or sorted by, a member of the input that is
sent. A whole representation has its deprecated fields too, but nobody asked for them. A form with a file is not read
here, however little of it is wanted: what it has said of the file is known when it has been taken in.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request
from starlette.responses import Response

from rest.files.forms import is_form, said_of_the_file
from rest.http.negotiation import media_type
from rest.http.problems import problem_response
from rest.oauth2 import FORM
from rest.query import BRACKETED, Parameters, names_in, parameters
from rest.routes import RestRoute
from rest.searching import body_parameters
from services.catalogue import Deprecation, Operation, Problem
from services.catalogue.batches import OPERATIONS
from services.catalogue.deprecation import deprecations_of
from services.catalogue.resources import Resource
from services.process import observation

Endpoint = Callable[[Request], Awaitable[Response]]

FACE = "rest"
_DEEPEST = 10
"""Relations of relations: more no gateway includes (MAX_INCLUDE_DEPTH)."""


def watched(route: RestRoute, endpoint: Endpoint) -> Endpoint:
    """The endpoint, whose answers tell what deprecated members were used; itself, where there are none."""
    if not _can_use(route):
        return endpoint

    async def watching(request: Request) -> Response:
        kind = media_type(request.headers.get("content-type", ""))
        body = b"" if is_form(kind) else await request.body()
        used = dict(_used(route, request.scope["query_string"], body, kind))
        if used:
            observation.note_deprecated(FACE, used)
        try:
            response = await endpoint(request)
        except Problem as problem:
            response = problem_response(problem)
        if is_form(kind) and route.operation is not None:
            later = dict(_called(route.operation, said_of_the_file(request)))
            observation.note_deprecated(FACE, later)
            used |= later
        for name, value in header_fields(used.values()):
            response.headers.append(name, value)
        return response

    return watching


def header_fields(used: Iterable[Deprecation]) -> Iterator[tuple[str, str]]:
    """What the header says of everything used: the first date of each kind, and every link."""
    found = list(used)
    if not found:
        return
    # A structured field's date (RFC 9651, section 3.3.7): seconds since 1970.
    yield "Deprecation", f"@{int(_midnight(min(each.since for each in found)).timestamp())}"
    sunsets = [each.sunset for each in found if each.sunset is not None]
    if sunsets:
        yield "Sunset", format_datetime(_midnight(min(sunsets)), usegmt=True)
    for link in dict.fromkeys(each.link for each in found if each.link):
        yield "Link", f'<{link}>; rel="deprecation"'


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _can_use(route: RestRoute) -> bool:
    operation = route.operation
    for each in (operation, *operation.entries.values()) if operation is not None else ():
        if each.deprecated or (each.input and deprecations_of(each.input)):
            return True
    return route.resource is not None and any(deprecations_of(each.read) for each in _within_reach(route.resource))


def _within_reach(resource: Resource[Any]) -> set[Resource[Any]]:
    """The resources whose fields can be asked for."""
    found, edge = {resource}, {resource}
    while edge:
        edge = {relation.target for each in edge for relation in each.relations.values()} - found
        found |= edge
    return found


def _used(route: RestRoute, query_string: bytes, body: bytes, kind: str) -> Iterator[tuple[str, Deprecation]]:
    operation, resource = route.operation, route.resource
    if operation is not None:
        yield from _called(operation, dict(parse_qsl(body.decode("latin-1"))) if kind == FORM else _members(body))
    if resource is None:
        return
    try:
        given = body_parameters(body) if route.is_search else parameters(query_string)
    except Problem:  # which the endpoint will say
        return
    for owner, name in _fields(resource, given, is_list=route.is_list):
        found = deprecations_of(owner.read).get(name)
        if found is not None:
            yield f"{owner.name}.{name}", found


def _called(operation: Operation, sent: Mapping[str, Any]) -> Iterator[tuple[str, Deprecation]]:
    """What is deprecated of an operation that is called with these members; of a batch, that of its entries too."""
    if operation.deprecated is not None:
        yield operation.name, operation.deprecated
    for name, each in deprecations_of(operation.input).items() if operation.input is not None else ():
        if name in sent:
            yield f"{operation.name}.{name}", each
    entries = sent.get(OPERATIONS) if operation.entries else None
    for entry in entries if isinstance(entries, list) else ():
        for verb, inner in operation.entries.items():
            if isinstance(entry, dict) and verb in entry:
                yield from _called(inner, entry[verb] if isinstance(entry[verb], dict) else {})


def _members(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _fields(resource: Resource[Any], given: Parameters, *, is_list: bool) -> Iterator[tuple[Resource[Any], str]]:
    """Every field that parameters name, with its resource."""
    for path in names_in(given, "fields"):
        *steps, name = path.split(".")
        owner: Resource[Any] | None = resource
        for step in steps[:_DEEPEST]:
            relation = owner.relations.get(step) if owner is not None else None
            owner = relation.target if relation is not None else None
        if owner is not None:
            yield owner, name
    if is_list:
        names = [each.removeprefix("-") for each in names_in(given, "sort")]
        names += [bracketed[1] if (bracketed := BRACKETED.fullmatch(each)) else each for each in given]
        for name in (*names, *_conditions(given.get("filter", [""])[0])):
            yield resource, name


def _conditions(text: str) -> Iterator[str]:
    """The fields in a filter's JSON."""
    waiting: list[Any] = [_members(text.encode(errors="replace"))]
    while waiting:
        each = waiting.pop()
        if isinstance(each, list):
            waiting += each
        elif isinstance(each, dict):
            waiting += [each[name] for name in ("and", "or", "not") if name in each]
            yield from each
