"""Searches with a JSON body: the arguments of a list's query string as one object.

`QUERY /items` (RFC 10008), and `POST /items/search` for those who can't. What comes of the body is what would have come
of the query string, so both are read by one grammar (rest/query.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from rest.http.negotiation import JSON, media_type
from rest.query import Parameters
from services.catalogue import Problem
from services.catalogue.json_input import read_json
from services.catalogue.problems import BAD_REQUEST, UNSUPPORTED_MEDIA_TYPE, VALIDATION_FAILED, FieldError
from services.catalogue.scalars import integral

ACCEPT_QUERY: Final = JSON
"""The value of `Accept-Query` (RFC 10008, section 3: a list of media ranges, here one token)."""
MAX_ENTRIES: Final = 200
"""Of a list in a search; what is longer is refused somewhere."""


def check_media_type(content_type: str, accepting: str) -> None:
    """Raises `unsupported_media_type` for a search that is not said to be JSON; `accepting` is the member for it."""
    if media_type(content_type) != JSON:
        members: dict[str, Any] = {accepting: JSON}
        raise Problem(UNSUPPORTED_MEDIA_TYPE, f"The body must be {JSON}.", **members)


def body_parameters(body: bytes) -> Parameters:
    """The query parameters that a search in JSON amounts to; members that are null, and empty lists, count as left out.

    Raises `bad_request` when it is no JSON object or has a name twice, `validation_failed` naming every member that is
    unknown or of the wrong type.
    """
    given = read_json(body or b"{}")
    if not isinstance(given, dict):
        raise Problem(BAD_REQUEST, "The body must be a JSON object.")
    unknown = [FieldError((name,), "unknown", "There is no such field.") for name in given if name not in MEMBERS]
    if unknown:
        raise Problem(VALIDATION_FAILED, errors=unknown)
    found = {name: MEMBERS[name](name, value) for name, value in given.items() if value is not None}
    return {name: values for name, values in found.items() if values}


def _integer(name: str, value: Any) -> list[str]:
    number = integral(value)
    if type(number) is not int:
        raise Problem.field(name, "type", "This must be an integer.")
    return [str(number)]


def _text(name: str, value: Any) -> list[str]:
    if not isinstance(value, str):
        raise Problem.field(name, "type", "This must be a string.")
    return [value]


def _boolean(name: str, value: Any) -> list[str]:
    if not isinstance(value, bool):
        raise Problem.field(name, "type", "This must be true or false.")
    return ["true" if value else "false"]


def _texts(name: str, value: Any) -> list[str]:
    if not isinstance(value, list):
        raise Problem.field(name, "type", "This must be a list.")
    if len(value) > MAX_ENTRIES:
        raise Problem.field(name, "length", f"This should have at most {MAX_ENTRIES} entries.")
    for index, each in enumerate(value):
        if not isinstance(each, str):
            raise Problem.field((name, index), "type", "This must be a string.")
        # In a query string these would be two.
        if "," in each or not each:
            raise Problem.field((name, index), "format", "This must be one name.")
    return value


def _object(name: str, value: Any) -> list[str]:
    if not isinstance(value, Mapping):
        raise Problem.field(name, "type", "This must be an object.")
    try:
        return [orjson.dumps(value).decode()]
    except TypeError:  # objects within objects, beyond what orjson writes
        raise Problem.field(name, "length", "This is nested too deeply.") from None


MEMBERS: Final[Mapping[str, Callable[[str, Any], list[str]]]] = {
    "limit": _integer, "after": _text, "before": _text, "skip": _integer, "sort": _texts, "filter": _object, "q": _text,
    "count": _boolean, "fields": _texts, "include": _texts,
}  # fmt: skip
"""What a search may hold, with what makes a query parameter's values of it."""
