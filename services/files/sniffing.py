"""Whether the bytes of a file are what they are said to be, as far as their beginning tells (puremagic)."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

import puremagic
from puremagic.main import magic_header_array

from services.catalogue import Problem

HEAD: Final = 1024
"""Bytes that are looked at."""
_CERTAIN: Final = 3
"""Bytes of a signature that cannot be there by chance."""
_ALIASES: Final = {
    "image/jpg": "image/jpeg", "image/x-png": "image/png", "text/xml": "application/xml", "image/x-ms-bmp": "image/bmp",
    "application/x-zip-compressed": "application/zip", "application/xhtml+xml": "text/html",
}  # fmt: skip
_MARKUP: Final = re.compile(
    rb"<\s*(?:!doctype\s+html|html|head|body|script|svg|iframe|img|style|title|a\s|\?xml|!--)", re.IGNORECASE
)
_RUNNING: Final = re.compile(
    rb"<\s*(?:!doctype\s+html|html|body|script|svg|iframe|object|embed|\?xml|\?php)\b", re.IGNORECASE
)
"""Markup that runs something, or begins what may."""
_MARKS: Final = re.compile(rb"(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)?\s*")
_ACTIVE: Final = {"text/html", "image/svg+xml", "application/xml", "application/xhtml+xml"}
_SCRIPTS: Final = re.compile(r"(?:text|application)/(?:x-.+|javascript|ecmascript)")
INLINE: Final = {"image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"}
_ANYTHING: Final = "application/octet-stream"


@cache
def _recognisable() -> frozenset[str]:
    """The types with a signature at the beginning that cannot be there by chance."""
    found = {
        _plain(each.mime_type)
        for each in magic_header_array
        if each.mime_type and len(each.byte_match) >= _CERTAIN and 0 <= each.offset < HEAD // 2
    }
    return frozenset(each for each in found if not each.startswith("text/") and each not in _ACTIVE) | INLINE


def check_type(declared: str, head: bytes) -> None:
    """Raises `validation_failed` naming `media_type` when the first bytes are those of something else.

    What has no signature passes as what it is called, unless a browser would take it for a page. Plain text, which is
    shown, has no NUL, is no script and has no markup that runs anywhere. What is called `application/octet-stream` may
    be anything, a page as well: it is never shown.
    """
    declared = _plain(declared)
    if declared == _ANYTHING:
        return
    if not head:
        if declared.startswith("image/") or declared in _recognisable():
            raise _another()
        return
    if _is_text(declared):
        _check_text(declared, head)
    found = _signatures(head)
    if declared in found:
        return
    marked = _MARKUP.match(_characters(head))
    if declared in _recognisable() or (found and _is_text(declared)) or (marked and declared not in _ACTIVE):
        raise _another()


def _check_text(declared: str, head: bytes) -> None:
    if declared in _ACTIVE:
        return
    runs = declared == "text/plain" and _RUNNING.search(head)
    if runs or b"\x00" in head or (_characters(head).startswith(b"#!") and not _SCRIPTS.fullmatch(declared)):
        raise _another()


def _characters(head: bytes) -> bytes:
    """What text begins with, in UTF-8 as in UTF-16: whatever is ASCII, without marks and blanks."""
    return _MARKS.sub(b"", head.replace(b"\x00", b""), count=1)


def _signatures(head: bytes) -> set[str]:
    try:
        matches = puremagic.magic_string(head)
    except (puremagic.PureError, ValueError):
        return set()
    found = {_plain(each.mime_type) for each in matches if each.mime_type and len(each.byte_match) >= _CERTAIN}
    return {each for each in found if not each.startswith("text/") or each in _ACTIVE}  # what is text is no signature


def _plain(media_type: str) -> str:
    return _ALIASES.get(media_type, media_type)


def _is_text(media_type: str) -> bool:
    return media_type.startswith("text/") or media_type in _ACTIVE or media_type == "application/json"


def _another() -> Problem:
    return Problem.field("media_type", "conflict", "The bytes are of another type.")
