"""Signatures: the leading bytes of media types all of whose files begin alike, according to their specifications."""

from __future__ import annotations

import re
from typing import Final

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
BEGINNINGS: Final = {media_type: re.compile(pattern, re.DOTALL) for media_type, pattern in _PATTERNS.items()}
WEAK: Final = {"image/bmp", "video/mp4", "font/woff", "font/woff2"}
"""Types whose signature other files may have by chance: the text `The free` begins like a film."""
_OFFICE: Final = re.compile(_ZIP + rb"|" + _COMPOUND)  # with a password, a compound file
_ALIASES: Final = {
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


def beginning_of(media_type: str) -> re.Pattern[bytes] | None:
    """Return the signature of a media type; None if it has none, or it is not listed."""
    if media_type.startswith(_OFFICE_DOCUMENT) and not media_type.endswith("+xml"):
        return _OFFICE
    is_zip = media_type.endswith("+zip") or media_type.startswith(_OPEN_DOCUMENT)
    if is_zip and not media_type.endswith("-flat-xml"):
        return BEGINNINGS["application/zip"]
    name = _ALIASES.get(media_type, media_type)
    return BEGINNINGS.get(name) if name != "application/x-executable" else None
