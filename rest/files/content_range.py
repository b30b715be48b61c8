"""Ranges of bytes, as `Range` and `Content-Range` have them (RFC 9110, section 14)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from services.catalogue import Problem
from services.catalogue.problems import BAD_REQUEST
from services.files.uploads import UploadRange

_CONTENT_RANGE: Final = re.compile(r"bytes (\d{1,12})-(\d{1,12})/(\d{1,12})", re.ASCII)
_RANGE: Final = re.compile(r"bytes=\s*(\d{0,18})-(\d{0,18})\s*", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Range:
    """From `start` to before `end`."""

    start: int
    end: int
    partial: bool


def content_range(given: str | None, size: int) -> UploadRange:
    """What of a file a body is; all of it if nothing is said. Raises `bad_request`."""
    if given is None:
        return UploadRange()
    found = _CONTENT_RANGE.fullmatch(given.strip())
    first, last, total = map(int, found.groups()) if found else (1, 0, 0)
    if first > last or last >= total:
        raise Problem(BAD_REQUEST, "Content-Range is not of the form `bytes first-last/size`.")
    return UploadRange(first, last + 1, total)


def requested_range(headers: Mapping[str, str], size: int, tag: str) -> Range | None:
    """What of a file is asked for; None if it has no such range.

    Several ranges, other units and what is malformed count as not asked for, as does one of another version.
    """
    whole = Range(0, size, partial=False)
    found = _RANGE.fullmatch(headers.get("range", ""))
    if found is None or headers.get("if-range", tag) != tag:
        return whole
    first, last = found.groups()
    if not first:
        if not last:
            return whole
        start, end = max(size - int(last), 0), size
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < int(first):
            return whole
    return Range(start, end, partial=True) if start < end else None
