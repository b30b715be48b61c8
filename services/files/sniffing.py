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

# The leading bytes of media types all of whose files begin alike, according to their specifications.
_ZIP: Final = rb"PK(?:\x03\x04|\x05\x06|\x07\x08)"
_COMPOUND: Final = rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_BOX: Final = rb".{4}(?:ftyp|styp|moov|moof|mdat|sidx|emsg|free|skip|wide|pnot|uuid)"


def _branded(brands: bytes) -> bytes:
    """Return the pattern of a file type box with one of these brands, major or compatible (ISO/IEC 14496-12, 4.3)."""
    return rb".{4}ftyp(?:.{8}(?:.{4}){0,31}?)??(?:" + brands + rb")"


_PATTERNS: Final = {
    "image/png": rb"\x89PNG\r\n\x1a\n",
    "image/jpeg": rb"\xff\xd8\xff",
    "image/gif": rb"GIF8[79]a",
    "image/webp": rb"RIFF.{4}WEBP",
    "image/avif": _branded(rb"avi[fs]"),
    "image/heif": _branded(rb"mif[12]|msf1|he[iv][cxms]|avi[fs]"),
    "image/bmp": rb"BM|BA\x28\0|(?:CI|CP|IC|PT)\x1a\0",
    "image/tiff": rb"II[*+]\0|MM\0[*+]",
    "video/mp4": _BOX,
    "application/pdf": rb"(?:\xef\xbb\xbf)?\s*%PDF-",
    "application/zip": _ZIP,
    "application/gzip": rb"\x1f\x8b",
    "application/x-7z-compressed": rb"7z\xbc\xaf'\x1c",
    "application/vnd.rar": rb"Rar!\x1a\x07",
    "application/x-xz": rb"\xfd7zXZ\0",
    "font/woff": rb"wOFF",
    "font/woff2": rb"wOF2",
    "application/x-executable": rb"\x7fELF",
}
_BEGINNINGS: Final = {media_type: re.compile(pattern, re.DOTALL) for media_type, pattern in _PATTERNS.items()}
_WEAK: Final = {"image/bmp", "video/mp4", "font/woff", "font/woff2"}
"""Types whose signature other files may have by chance: the text `The free` begins like a film."""
_OFFICE: Final = re.compile(_ZIP + rb"|" + _COMPOUND)  # with a password, a compound file
_SAME_BEGINNING: Final = {
    "image/heic": "image/heif", "image/x-ms-bmp": "image/bmp", "image/x-bmp": "image/bmp",
    "audio/mp4": "video/mp4", "audio/x-m4a": "video/mp4",
    "audio/m4a": "video/mp4", "video/x-m4v": "video/mp4", "video/quicktime": "video/mp4", "video/3gpp": "video/mp4",
    "video/3gpp2": "video/mp4", "application/x-pdf": "application/pdf", "application/x-zip": "application/zip",
    "application/x-zip-compressed": "application/zip", "application/java-archive": "application/zip",
    "application/x-java-archive": "application/zip", "application/vnd.android.package-archive": "application/zip",
    "application/x-gzip": "application/gzip", "application/x-compressed-tar": "application/gzip",
    "application/x-rar-compressed": "application/vnd.rar", "application/x-rar": "application/vnd.rar",
}  # fmt: skip
_OPEN_DOCUMENT: Final = "application/vnd.oasis.opendocument."
_OFFICE_DOCUMENT: Final = "application/vnd.openxmlformats-officedocument."


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
    own = _beginning_of(declared)
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


def _beginning_of(media_type: str) -> re.Pattern[bytes] | None:
    """Return the signature of a media type; None if it has none, or it is not listed."""
    if media_type.startswith(_OFFICE_DOCUMENT) and not media_type.endswith("+xml"):
        return _OFFICE
    is_zip = media_type.endswith("+zip") or media_type.startswith(_OPEN_DOCUMENT)
    if is_zip and not media_type.endswith("-flat-xml"):
        return _BEGINNINGS["application/zip"]
    name = _SAME_BEGINNING.get(media_type, media_type)
    return _BEGINNINGS.get(name) if name != "application/x-executable" else None


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
    found |= {name for name, beginning in _BEGINNINGS.items() if name not in _WEAK and beginning.match(head)}
    return {each for each in found if each and not each.startswith("text/")}


def _is_certain(signature: bytes) -> bool:
    return len(signature) >= _CERTAIN and any(each >= 0x7F for each in signature)


@cache
def _known() -> frozenset[str]:
    return frozenset(each.mime_type for each in magic_header_array if each.mime_type)
