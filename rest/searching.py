"""Searches with a JSON body: the parameters of a list's query string as one object.

`QUERY /items` (RFC 10008), and `POST /items/search` for clients that cannot send QUERY. The body is translated into
query parameters, which rest/query.py parses.
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
"""The longest list in a search."""


def check_media_type(content_type: str, accepting: str) -> None:
    """Raise `unsupported_media_type`, with the member `accepting`, unless the content type is JSON."""
    if media_type(content_type) != JSON:
        members: dict[str, Any] = {accepting: JSON}
        raise Problem(UNSUPPORTED_MEDIA_TYPE, f"The body must be {JSON}.", **members)


def body_parameters(body: bytes) -> Parameters:
    """Return the query parameters that a search stands for. Nulls and empty lists count as left out.

    Raises `bad_request` for a body that is no JSON object or repeats a name, `validation_failed` naming every unknown
    member, or the first of the wrong type.
    """
    search = read_json(body or b"{}")
    if not isinstance(search, dict):
        raise Problem(BAD_REQUEST, "The body must be a JSON object.")
    unknown = [FieldError((name,), "unknown", "There is no such field.") for name in search if name not in MEMBERS]
    if unknown:
        raise Problem(VALIDATION_FAILED, errors=unknown)
    parameters = {name: MEMBERS[name](name, value) for name, value in search.items() if value is not None}
    return {name: values for name, values in parameters.items() if values}


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
    for index, element in enumerate(value):
        if not isinstance(element, str):
            raise Problem.field((name, index), "type", "This must be a string.")
        # A query string would separate names at the comma.
        if "," in element or not element:
            raise Problem.field((name, index), "format", "This must be one name.")
    return value


def _object(name: str, value: Any) -> list[str]:
    if not isinstance(value, Mapping):
        raise Problem.field(name, "type", "This must be an object.")
    try:
        return [orjson.dumps(value).decode()]
    except TypeError:  # orjson's limit of nesting
        raise Problem.field(name, "length", "This is nested too deeply.") from None


MEMBERS: Final[Mapping[str, Callable[[str, Any], list[str]]]] = {
    "limit": _integer, "after": _text, "before": _text, "skip": _integer, "sort": _texts, "filter": _object, "q": _text,
    "count": _boolean, "fields": _texts, "include": _texts,
}  # fmt: skip
"""The members of a search, each with the function that translates its value into those of a query parameter."""
