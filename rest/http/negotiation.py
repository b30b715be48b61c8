"""What a client says it can take and would like: `Accept` (RFC 9110, section 12.5.1) and `Prefer` (RFC 7240)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import Enum
from functools import lru_cache
from typing import Final

from rest.http.problems import PROBLEM_MEDIA_TYPE
from services.catalogue import Problem
from services.catalogue.problems import NOT_ACCEPTABLE

JSON: Final = "application/json"
LONGEST: Final = 1_000
"""Bytes of a header field that is looked at; one that is longer counts as absent."""

_OURS: Final = (JSON, PROBLEM_MEDIA_TYPE)
_TELLING: Final = frozenset({b"accept", b"prefer"})
_USUAL: Final = frozenset({b"*/*", b"application/json", b"application/json, text/plain, */*"})
"""What nearly every client sends, and whatever it is that we have satisfies."""

_TOKENS: Final = re.compile(r'[^",;]+|"(?:[^"\\]|\\.)*"?|[,;]', re.DOTALL)
_WEIGHT: Final = re.compile(r"0(?:\.\d{0,3})?|1(?:\.0{0,3})?")


def media_type(content_type: str) -> str:
    """The type of a body, without parameters."""
    return content_type.partition(";")[0].strip().lower()


class Preference(Enum):
    """What a write should answer with."""

    MINIMAL = "minimal"
    REPRESENTATION = "representation"


def negotiated(headers: Iterable[tuple[bytes, bytes]]) -> Preference | None:
    """The preference of a request. Raises `not_acceptable` when neither JSON nor problems in JSON will do."""
    told = [each for each in headers if each[0] in _TELLING]
    if not told or (len(told) == 1 and told[0][1] in _USUAL):
        return None
    accept = b",".join(value for name, value in told if name == b"accept")
    if accept not in _USUAL and len(accept) <= LONGEST and not _takes_json(accept):
        raise Problem(NOT_ACCEPTABLE, f"Answers are {JSON} or {PROBLEM_MEDIA_TYPE}.")
    prefer = b",".join(value for name, value in told if name == b"prefer")
    return _preference(prefer) if prefer and len(prefer) <= LONGEST else None


def weighted(text: str) -> list[tuple[str, float]]:
    """The well-formed elements of a list with weights (RFC 9110, 12.4.2), in lower case and without parameters."""
    found = []
    for element in split(text, ","):
        what, *parameters = [each.strip().lower() for each in split(element, ";")]
        weights = [value for name, _, value in (each.partition("=") for each in parameters) if name.strip() == "q"]
        if what and all(_WEIGHT.fullmatch(each) for each in weights):
            found.append((what, float(weights[0]) if weights else 1.0))
    return found


def split(text: str, separator: str) -> list[str]:
    """The parts of a header field between separators that are not in a quoted string."""
    parts = [""]
    for token in _TOKENS.findall(text):
        if token == separator:
            parts.append("")
        else:
            parts[-1] += token
    return parts


@lru_cache(maxsize=256)
def _takes_json(accept: bytes) -> bool:
    ranges = [each for each in weighted(accept.decode("latin-1")) if "/" in each[0]]
    # A field without a single media range says nothing.
    return not ranges or any(_weight(kind, ranges) > 0 for kind in _OURS)


def _weight(kind: str, ranges: Sequence[tuple[str, float]]) -> float:
    """The weight that the most specific range gives a media type; 0 where none covers it."""
    for covering in (kind, f"{kind.partition('/')[0]}/*", "*/*"):
        found = [weight for each, weight in ranges if each == covering]
        if found:
            return max(found)
    return 0


@lru_cache(maxsize=256)
def _preference(prefer: bytes) -> Preference | None:
    for element in split(prefer.decode("latin-1"), ","):
        name, _, value = split(element, ";")[0].partition("=")
        if name.strip().lower() == "return":
            # Of a preference given twice, the first counts (RFC 7240, section 2); one that is unknown is ignored.
            word = value.strip().strip('"')
            return Preference(word) if word in ("minimal", "representation") else None
    return None
