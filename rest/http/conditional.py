"""Conditional requests: entity tags out, preconditions in (RFC 9110, sections 8.8.3 and 13).

There are no modification dates, so that If-Modified-Since and If-Unmodified-Since are ignored (13.1.3, 13.1.4). Only
the bytes of files have ranges, and heed If-Range (13.1.5; rest/files/content_range.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from starlette.responses import Response

from services.catalogue import Problem
from services.catalogue.problems import BAD_REQUEST
from services.queries.versions import ANY, Preconditions, Tags, tag_of

RawHeader = tuple[bytes, bytes]

JSON: Final = "application/json"
_MATCH: Final = b"if-match"
_NONE_MATCH: Final = b"if-none-match"
_SHOWN: Final = {_MATCH: "If-Match", _NONE_MATCH: "If-None-Match"}
_ENTRY: Final = re.compile(rb'[ \t,]*(W/)?"([\x21\x23-\x7e\x80-\xff]*)"[ \t]*(?=,|$)')
_REVALIDATED: Final = (
    (b"cache-control", b"private, no-cache"),
    (b"vary", b"Authorization, X-API-Key"),
)
"""The caller's own cache may keep the answer, and asks here each time before it shows it (RFC 9111, section 5.2.2).
With `no-store`, which all other answers have, there would be nothing to ask about."""


def expected_of(headers: Iterable[RawHeader]) -> Preconditions | None:
    """What a request expects, None where that is nothing. Raises `bad_request` for what is no list of entity tags."""
    given: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        if name in _SHOWN:
            given.setdefault(name, []).append(value)
    if not given:
        return None
    found = {name: _tags(name, b",".join(values)) for name, values in given.items()}
    return Preconditions(found.get(_MATCH), found.get(_NONE_MATCH))


def representation(content: bytes, headers: Mapping[str, str], expected: Preconditions | None) -> Response:
    """The answer to a GET: the representation, or 304 where the caller has it. Raises `precondition_failed`."""
    tag = tag_of(content)
    if expected is not None and expected.is_known(tag):
        response = Response(status_code=304)
    else:
        response = Response(content, 200, headers, JSON)
    response.raw_headers += [(b"etag", quoted(tag).encode()), *_REVALIDATED]
    return response


def quoted(tag: str) -> str:
    """A tag as the header has it."""
    return f'"{tag}"'


def _tags(name: bytes, value: bytes) -> Tags:
    """The opaque parts of entity tags; If-Match compares strongly, and weak ones match nothing (13.1.1)."""
    if value.strip(b" \t") == b"*":
        return ANY
    found, place = [], 0
    while match := _ENTRY.match(value, place):
        if match[1] is None or name == _NONE_MATCH:
            found.append(match[2].decode("latin-1"))
        place = match.end()
    if value[place:].strip(b" \t,"):
        raise Problem(BAD_REQUEST, f"{_SHOWN[name]} must be * or a list of entity tags in double quotes.")
    return frozenset(found)
