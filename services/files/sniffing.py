"""Whether the bytes of a file are what they are said to be, as far as their beginning tells (puremagic).

What is shown to others must be what it says: pictures begin as such, and plain text is text without markup that runs.
All else is only ever saved, and is refused where its bytes contradict it for certain. Most formats have more beginnings
than any table knows, so that no match proves nothing.
"""

from __future__ import annotations

import codecs
import re
from functools import cache
from typing import Final

import puremagic
from puremagic.main import magic_header_array

from services.catalogue import Problem
from services.files.beginnings import BEGINNINGS, WEAK, beginning_of

HEAD: Final = 1024
INLINE: Final = {"image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"}
_CERTAIN: Final = 4
"""Bytes of a signature that cannot be there by chance."""
ANYTHING: Final = "application/octet-stream"
_PLAIN: Final = "text/plain"
_PDF: Final = "application/pdf"
_ALIASES: Final = {
    "image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg", "image/x-png": "image/png", "text/xml": "application/xml",
    "application/xhtml+xml": "text/html", "application/x-plist": "application/xml",
}  # fmt: skip

_PAGE: Final = re.compile(
    rb"<\s*(?:!doctype\s+html|html|head|body|script|svg|iframe|img|style|title|a\s|!--)", re.IGNORECASE
)
_RUNNING: Final = re.compile(
    rb"<\s*(?:(?:!doctype\s+html|html|script|svg|\?php)\b|(?:body|iframe|object|embed)[\s/])"
    rb"|<\s*[a-z][^<>]*[\s/\"']on[a-z]{3,}\s*=|\A<\s*\?xml\b",
    re.IGNORECASE,
)
"""Markup that runs something, or begins what may; what is written `<object>` stands for something else."""
_MARKS: Final = re.compile(rb"(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)?\s*")
_WIDE: Final = {
    codecs.BOM_UTF32_LE: "utf-32-le", codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be",
}  # fmt: skip
"""Marks of the encodings in which text has NUL bytes; one is the beginning of another, which comes first."""
_CONTROL: Final = re.compile(r"[\x00-\x06\x10-\x19]")
"""Characters that no text has: those that control, but don't move, ring, shift, escape, separate, or end a DOS file."""

_MARKED_UP: Final = {
    "application/xml", "application/xml-dtd", "application/xml-external-parsed-entity", "text/html", "image/svg+xml",
}  # fmt: skip
_DATA: Final = {"application/json", "text/csv", "text/tab-separated-values", "text/calendar", "text/vcard", "text/rtf"}
"""Text that is neither a script nor markup, nor begins as one."""
_SOURCES: Final = re.compile(r"text/.+|application/(?:x-)?(?:httpd-)?(?:php|javascript|ecmascript|typescript)")
"""Text that may begin with markup, as a README does, or a template."""
_MEDIA: Final = {"image": "picture", "audio": "film", "video": "film", "font": "font"}
_STRANGERS: Final = {
    "image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "video/webm", _PDF,
    "application/vnd.microsoft.portable-executable", "application/x-executable", "application/java",
    "application/x-rpm", "application/x-7z-compressed", "application/vnd.rar", "application/x-xz",
}  # fmt: skip
"""What no medium of another kind is made of; archives and compound files are not here, as some are."""


def check_type(declared: str, head: bytes) -> None:
    """Raises `validation_failed` naming `media_type` when the first bytes are those of something else.

    Few types are asked for their own beginning: those that have one, and all that are shown. Plain text, which is shown
    as well, has no NUL, is no script and has no markup that runs anywhere. What has no signature passes as what it is
    called, unless a browser would take it for a page and its type is none that markup belongs to. What is called
    `application/octet-stream` may be anything, a page as well: it is never shown.
    """
    declared = _ALIASES.get(declared, declared)
    if declared == ANYTHING:
        return
    own = beginning_of(declared)
    if not head:
        refused = own is not None or declared.startswith("image/")
    elif own is not None:
        refused = own.match(head) is None
    elif _is_text(declared):
        refused = _is_other_than_text(declared, head)
    else:
        refused = _begins_as_page(declared, head) or _is_another_medium(declared, head)
    if refused:
        raise Problem.field("media_type", "conflict", "The bytes are of another type.")


def _is_text(media_type: str) -> bool:
    return media_type.startswith("text/") or _is_data(media_type) or _is_marked_up(media_type)


def _is_marked_up(media_type: str) -> bool:
    return media_type in _MARKED_UP or media_type.endswith("+xml")


def _is_other_than_text(declared: str, head: bytes) -> bool:
    if _is_marked_up(declared):  # it may be in UTF-16 without a mark
        return bool(_signatures(head))
    text = _decoded(head)
    if _CONTROL.search(head.decode("latin-1") if text is None else text):
        return True
    found = _signatures(head)
    if _PDF in found or (found and text is None):
        return True
    begin = _characters(head)
    if declared == _PLAIN and _RUNNING.search(begin):
        return True
    is_script = begin.startswith(b"#!") and (declared == _PLAIN or _is_data(declared))
    return is_script or _begins_as_page(declared, head)


def _is_data(media_type: str) -> bool:
    return media_type in _DATA or media_type.endswith("+json")


def _begins_as_page(declared: str, head: bytes) -> bool:
    if _SOURCES.fullmatch(declared) and declared != _PLAIN and not _is_data(declared):
        return False
    return _PAGE.match(_characters(head)) is not None


def _is_another_medium(declared: str, head: bytes) -> bool:
    kind = _MEDIA.get(declared.partition("/")[0])
    if kind is not None:
        if _characters(head).startswith(b"<?xml"):
            return True
        return any(_MEDIA.get(each.partition("/")[0]) != kind for each in _signatures(head) & _STRANGERS)
    return declared in _known() and bool(_signatures(head) & INLINE)


def _decoded(head: bytes) -> str | None:
    """The beginning as text in UTF-8, or in what its mark says; None if it is no such."""
    encoding = next((name for mark, name in _WIDE.items() if head.startswith(mark)), "utf-8")
    try:
        return codecs.getincrementaldecoder(encoding)().decode(head)  # it may end within a character
    except UnicodeDecodeError:
        return None


def _characters(head: bytes) -> bytes:
    """What text begins with, in UTF-8 as in UTF-16: whatever is ASCII, without marks and blanks."""
    return _MARKS.sub(b"", head.replace(b"\x00", b""), count=1)


def _signatures(head: bytes) -> set[str]:
    """The types that the bytes begin as, for certain: with what is no ASCII, or is known by hand."""
    try:
        matches = puremagic.magic_string(head)
    except (puremagic.PureError, ValueError):
        matches = []
    found = {each.mime_type for each in matches if _is_certain(each.byte_match)}
    found |= {name for name, beginning in BEGINNINGS.items() if name not in WEAK and beginning.match(head)}
    return {each for each in found if each and not each.startswith("text/")}


def _is_certain(signature: bytes) -> bool:
    return len(signature) >= _CERTAIN and any(each >= 0x7F for each in signature)


@cache
def _known() -> frozenset[str]:
    return frozenset(each.mime_type for each in magic_header_array if each.mime_type)
