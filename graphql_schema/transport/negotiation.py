"""Media types: what a body is written in, and which form of an answer the client takes.

GraphQL over HTTP, sections "Media Types", "Accept" and "Body"; RFC 9110, sections 8.3 and 12.5.1.
"""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache
from typing import Final

from services.catalogue import Problem
from services.catalogue.problems import UNSUPPORTED_MEDIA_TYPE

JSON: Final = b"application/json"
LONGEST: Final = 1_000
"""Bytes of `Accept` that are looked at; one that is longer counts as absent."""

_WEIGHT: Final = re.compile(r"0(?:\.\d{0,3})?|1(?:\.0{0,3})?")
_RANGE: Final = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+/[!#$%&'*+.^_`|~0-9a-z-]+")


class Form(Enum):
    """What an answer can be written as."""

    PLAIN = "application/json"
    TYPED = "application/graphql-response+json"
    EVENTS = "text/event-stream"


# Of equal weights the form is taken that says most of the answer; one that is only covered by a wildcard is what
# clients without an opinion have always got.
_NAMED: Final = (Form.TYPED, Form.PLAIN, Form.EVENTS)
_COVERED: Final = (Form.PLAIN, Form.TYPED, Form.EVENTS)


def form_of(accept: bytes | None) -> Form | None:
    """The form that `Accept` prefers; None where it takes none of ours. Without the field, plain JSON."""
    if accept is None or len(accept) > LONGEST:
        return Form.PLAIN
    return _form_of(accept)


def check_media_type(content_type: bytes) -> None:
    """Raises `unsupported_media_type` unless a body is JSON in UTF-8."""
    if content_type == JSON:
        return
    kind, parameters = _parts(content_type.decode("latin-1"))
    if kind != JSON.decode():
        raise Problem(UNSUPPORTED_MEDIA_TYPE, f"The body must be {JSON.decode()}.")
    if parameters.get("charset", "utf-8") != "utf-8":
        raise Problem(UNSUPPORTED_MEDIA_TYPE, "The body must be in UTF-8.")


def essence(content_type: bytes) -> str:
    """A media type without its parameters, in lower case."""
    return _parts(content_type.decode("latin-1"))[0]


@lru_cache(maxsize=256)
def _form_of(accept: bytes) -> Form | None:
    well_formed, ranges = 0, []
    for element in accept.decode("latin-1").split(","):
        kind, parameters = _parts(element)
        weight = parameters.get("q", "1")
        if _RANGE.fullmatch(kind) and _WEIGHT.fullmatch(weight):
            well_formed += 1
            # All that is written here is written in UTF-8.
            if parameters.get("charset", "utf-8") == "utf-8":
                ranges.append((kind, float(weight)))
    if not well_formed:
        return Form.PLAIN  # a field without a single media range says nothing
    found = [each for form in Form if (each := _rank(form, dict(sorted(ranges, key=lambda each: each[1])))) is not None]
    return max(found, key=lambda each: each[0])[1] if found else None


def _rank(form: Form, ranges: dict[str, float]) -> tuple[tuple[float, bool, int], Form] | None:
    """How much a form is wanted, by the most specific range that covers it; None if not at all."""
    family = form.value.partition("/")[0]
    for covering in (form.value, f"{family}/*", "*/*"):
        if covering in ranges:
            weight, named = ranges[covering], covering == form.value
            order = _NAMED if named else _COVERED
            return ((weight, named, -order.index(form)), form) if weight > 0 else None
    return None


def _parts(text: str) -> tuple[str, dict[str, str]]:
    """A media type or range and its parameters, all in lower case; of several with one name the first counts."""
    kind, *rest = (each.strip().lower() for each in text.split(";"))
    parameters: dict[str, str] = {}
    for name, _, value in (each.partition("=") for each in rest):
        parameters.setdefault(name.strip(), value.strip().strip('"'))
    return kind, parameters
