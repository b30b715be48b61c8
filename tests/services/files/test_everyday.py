"""Files as people have them are taken for what they are called, and what is clearly something else is not."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile

import pytest

from services.catalogue import Problem
from services.files.sniffing import check_type
from tests.support.uploads import PNG

REST = bytes(50)
XML = b"<?xml version='1.0'?><a/>"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
EXE = b"MZ\x90\0\3\0\0\0" + REST
ELF = b"\x7fELF\2\1\1" + REST
EBML = b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\xf7\x81\x01\x42\xf2\x81\x04\x42\xf3\x81\x08\x42\x82"
GZIP = gzip.compress(b"brass")
PDF = b"%PDF-1.7\n"
OFFICE = "application/vnd.openxmlformats-officedocument."
OPEN = "application/vnd.oasis.opendocument."


def zipped(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, b"<a/>")
    return out.getvalue()


def tarred() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        entry = tarfile.TarInfo("a.txt")
        entry.size = 3
        archive.addfile(entry, io.BytesIO(b"abc"))
    return out.getvalue()


def box(brand: bytes, *compatible: bytes) -> bytes:
    body = b"ftyp" + brand + b"\0\0\2\0" + b"".join(compatible)
    return struct.pack(">I", len(body) + 4) + body + b"\0\0\0\x08free" + REST


DOCUMENTS: list[tuple[str, bytes]] = [
    ("application/pdf", b"\xef\xbb\xbf%PDF-1.7\n"), ("application/pdf", b"\n%PDF-1.7\n"),
    ("application/illustrator", b"%PDF-1.5\n"), ("application/postscript", b"%PDF-1.5\n"),
    ("application/postscript", b"%!PS\n"), ("application/postscript", b"%!PS-Adobe-3.0\n"),
    (OFFICE + "wordprocessingml.document", zipped("[Content_Types].xml", "word/document.xml")),
    (OFFICE + "spreadsheetml.sheet", zipped("[Content_Types].xml", "xl/workbook.xml")),
    (OFFICE + "presentationml.presentation", zipped("[Content_Types].xml", "ppt/presentation.xml")),
    (OFFICE + "wordprocessingml.document", OLE),  # with a password
    (OPEN + "text", zipped("mimetype")), (OPEN + "spreadsheet", zipped("mimetype")), (OPEN + "text-flat-xml", XML),
    ("application/epub+zip", zipped("mimetype")), ("application/msword", OLE), ("application/msword", b"{\\rtf1}"),
    ("application/vnd.ms-excel", OLE), ("application/vnd.ms-excel", b"a,b\n1,2\n"),  # what Windows says of CSV
    ("application/vnd.ms-powerpoint", OLE), ("application/vnd.ms-outlook", OLE),
    ("application/rtf", b"{\\rtf1\\ansi}"), ("text/rtf", b"{\\rtf1\\ansi}"), ("text/calendar", b"BEGIN:VCALENDAR\r\n"),
    ("text/vcard", b"BEGIN:VCARD\r\n"), ("message/rfc822", b"MIME-Version: 1.0\r\nFrom: x\r\n\r\nx"),
    ("message/rfc822", b"Delivered-To: a@b.c\r\nReceived: by x\r\n\r\nx"), ("application/x-pem-file", b"-----BEGIN "),
]  # fmt: skip
ARCHIVES: list[tuple[str, bytes]] = [
    ("application/zip", zipped("a")), ("application/zip", zipped()), ("application/x-zip-compressed", zipped("a")),
    ("application/java-archive", zipped("META-INF/MANIFEST.MF")), ("image/openraster", zipped("mimetype")),
    ("application/vnd.android.package-archive", zipped("AndroidManifest.xml")), ("application/gzip", GZIP),
    ("application/x-gzip", GZIP), ("application/x-compressed-tar", GZIP), ("application/x-tar", tarred()),
    ("application/x-tar", GZIP), ("application/x-7z-compressed", b"7z\xbc\xaf\x27\x1c\x00\x04" + REST),
    ("application/vnd.rar", b"Rar!\x1a\x07\x01\x00"), ("application/x-rar-compressed", b"Rar!\x1a\x07\x01\x00"),
    ("application/x-xz", b"\xfd7zXZ\x00" + REST), ("application/zstd", b"\x28\xb5\x2f\xfd" + REST),
    ("application/x-bittorrent", b"d10:created by3:abc4:infod"), ("application/vnd.sqlite3", b"SQLite format 3\0"),
    ("application/wasm", b"\0asm\1\0\0\0"), ("application/x-executable", ELF),
    ("application/vnd.microsoft.portable-executable", EXE), ("application/x-msdownload", EXE),
    ("application/x-apple-diskimage", b"koly"), ("application/vnd.mozilla.apng", PNG),
]  # fmt: skip
PICTURES: list[tuple[str, bytes]] = [
    *[("image/jpeg", b"\xff\xd8\xff" + bytes([marker]) + b"\x00\x10" + REST) for marker in b"\xe0\xe1\xdb\xee\xe2\xfe"],
    ("image/jpg", b"\xff\xd8\xff\xe0\x00\x10JFIF"), ("image/gif", b"GIF87a" + REST),
    ("image/webp", b"RIFF\x24\0\0\0WEBPVP8 "), ("image/webp", b"RIFF\x24\0\0\0WEBPVP8X"),
    ("image/heic", box(b"heic", b"mif1heic")), ("image/heic", box(b"mif1", b"mif1heic")),
    ("image/heif", box(b"mif1", b"mif1heic")), ("image/avif", box(b"avif", b"avifmif1miaf")),
    ("image/avif", box(b"mif1", b"mif1avifmiaf")), ("image/avif", box(b"avis", b"avismsf1")),
    ("image/bmp", b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0"), ("image/x-icon", b"\0\0\1\0\1\0\x10\x10"),
    ("image/vnd.microsoft.icon", b"\0\0\1\0\1\0\x10\x10"), ("image/tiff", b"II*\0\x08\0\0\0"),
    ("image/x-icon", PNG),
    ("image/tiff", b"MM\0*\0\0\0\x08"), ("image/x-nikon-nef", b"MM\0*\0\0\0\x08"), ("image/x-tga", b"\0\0\2\0" + REST),
    ("image/vnd.adobe.photoshop", b"8BPS\0\1"), ("image/jp2", b"\0\0\0\x0cjP  \r\n\x87\n"),
    ("image/jxl", b"\xff\x0a\0"),
    ("image/x-canon-cr3", box(b"crx ", b"isom")), ("image/wmf", b"\xd7\xcd\xc6\x9a" + REST),
    ("image/x-eps", b"\xc5\xd0\xd3\xc6" + REST), ("image/x-xcf", b"gimp xcf v011"),
]  # fmt: skip
FILMS: list[tuple[str, bytes]] = [
    *[("video/mp4", box(brand, b"mp41")) for brand in b"isom iso5 iso6 mp42 mp41 avc1 dash".split()],
    ("video/mp4", box(b"M4V ", b"mp42")), ("video/mp4", b"\0\0\0\x18styp" + REST), ("audio/mp4", box(b"M4A ", b"isom")),
    ("video/x-m4v", box(b"M4V ", b"mp42isom")), ("audio/x-m4a", box(b"M4A ", b"mp42isom")),
    ("audio/mp4", box(b"isom", b"isom")), ("video/quicktime", box(b"qt  ", b"qt  ")),
    ("video/quicktime", b"\0\0\0\x08wide" + REST), ("video/3gpp", box(b"3gp4", b"isom3gp4")),
    ("video/webm", EBML + b"\x84webm"), ("audio/webm", EBML + b"\x84webm"),
    ("video/x-matroska", EBML + b"\x88matroska"), ("video/matroska", EBML + b"\x88matroska"),
    ("audio/mpeg", b"ID3\x03\x00\x00" + REST), ("audio/mpeg", b"\xff\xfb\x90\x64" + REST),
    ("audio/mpeg", b"\xff\xf3\x40\xc4" + REST), ("audio/aac", b"\xff\xf1\x50\x80\x00\x1f\xfc" + REST),
    ("audio/aac", b"\xff\xf9\x4c\x80" + REST), ("audio/wav", b"RIFF\x24\0\0\0WAVEfmt "),
    ("audio/x-wav", b"RIFF\x24\0\0\0WAVEfmt "), ("audio/vnd.wave", b"RIFF\x24\0\0\0WAVEfmt "),
    ("audio/flac", b"fLaC\0\0\0\x22"), ("audio/ogg", b"OggS\0\2" + bytes(22) + b"\x01vorbis"),
    ("audio/opus", b"OggS\0\2" + bytes(22) + b"OpusHead"), ("video/ogg", b"OggS\0\2" + bytes(22) + b"\x80theora"),
    ("audio/midi", b"MThd\0\0\0\6"), ("video/x-msvideo", b"RIFF\x24\0\0\0AVI LIST"),
    ("video/avi", b"RIFF\x24\0\0\0AVI LIST"), ("audio/x-ms-wma", b"0&\xb2u\x8ef\xcf\x11\xa6\xd9\0\xaa\0b\xcel"),
    ("video/mpeg", b"\0\0\1\xba" + REST), ("font/ttf", b"\0\1\0\0\0\x10"), ("font/otf", b"OTTO\0\x10"),
    ("font/woff", b"wOFF\0\1"), ("font/woff2", b"wOF2\0\1"),
]  # fmt: skip
TEXTS: list[tuple[str, bytes]] = [
    *[
        ("text/plain", each)
        for each in (
            b"x" * 73 + b"text", b"x" * 60 + b"apples", b"The free software movement", b"MOVIES I HAVE SEEN",
            b"FORMAT of the exchange file", b"From Berlin to Paris", b"Subject: hello", b"Version 1.0", b"[main]",
            b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n", b"#EXTM3U\n", b"GIF89a is a format", b"BM25 ranks", b"MZ",
            b"wOFF is not a word", b"\x1b[31mred\x1b[0m\n", b"The end\r\n\x1a", b"request: <?xml version='1.0'?><a/>",
            b"if a<b and c>d", "K\u00e4fer\n".encode("utf-16"), "K\u00e4fer \U0001f41e\n".encode("utf-32"),
            b"\xfe\xff" + "K\u00e4fer".encode("utf-16-be"), "K\u00e4fer, sch\u00f6n".encode("latin-1"),
            "\u8f66\u8f6e".encode("gbk"), "\u8eca\u8f2a".encode("shift-jis"), "\ucc28".encode("iso2022_kr"),
            b"x" * 1023 + "\u00e4".encode()[:1],
            b"\xef\xbb\xbfThe wide road", b"git show <object>, <body> and <embed>", b"a <b one=1>", b"x < y on z = 1",
        )
    ],
    ("text/csv", b"BIKE,PRICE\n1,2\n"), ("text/csv", b"The wide,road\n"), ("text/csv", "a\tb\n".encode("utf-16")),
    ("text/csv", b"a\x1fb\x1e"), ("text/x-c", b"#define A 1\n"), ("application/x-yaml", b"a: 1\n"),
    ("application/yaml", b"a: 1\n"), ("application/ld+json", b"{}"), ("text/javascript", b"alert(1)"),
    ("text/css", b"a{}"),
]  # fmt: skip
MARKUP: list[tuple[str, bytes]] = [
    *[("text/markdown", each) for each in (b"<!-- a -->\n# A\n", b"<img src='a.png'>\n", b"<h1 align=left>A</h1>")],
    ("text/x-vue", b"<script setup>\n</script>\n"), ("application/x-httpd-php", b"<?php echo 1;"),
    ("text/x-php", b"<html><?php echo 1;"), ("application/x-plist", XML), ("application/x-plist", b"bplist00\xd4\1"),
    *[
        (f"application/{each}+xml", XML)
        for each in ("gpx", "vnd.google-earth.kml", "atom", "vnd.recordare.musicxml", "xslt", "mathml")
    ],
    ("application/xml", XML), ("application/xml-dtd", b"<!-- a --><!ELEMENT a EMPTY>"),
    ("application/xhtml+xml", b"<html xmlns='http://www.w3.org/1999/xhtml'>"),
]  # fmt: skip
HONEST = DOCUMENTS + ARCHIVES + PICTURES + FILMS + TEXTS + MARKUP

PAGE = b"<!DOCTYPE html><script>alert(1)</script>"
LIES: list[tuple[str, bytes]] = [
    *[("image/png", each) for each in (PDF, EXE, ELF, GZIP, zipped("a"), PAGE, b"\xff\xd8\xff\xe0", b"text", PNG[1:])],
    *[("image/avif", each) for each in (box(b"isom", b"mp41"), box(b"heic", b"mif1heic"), box(b"isom") + b"avif")],
    *[("application/pdf", each) for each in (EXE, PAGE, b"<script>1</script>%PDF-1.7", b"PDF", zipped("a"))],
    *[("application/zip", each) for each in (EXE, PDF, PNG, GZIP, b"PK", b"text")],
    *[(OFFICE + "wordprocessingml.document", each) for each in (EXE, PDF, PNG, b"text")],
    *[("application/gzip", each) for each in (b"\\037\\213", zipped("a"), PNG)],
    *[("video/mp4", each) for each in (EXE, PAGE, PNG, EBML, b"text")],
    *[("image/x-brass", each) for each in (EXE, ELF, PDF, PAGE, XML, EBML)],
    *[("audio/mpeg", each) for each in (EXE, ELF, PDF, PAGE, PNG)],
    *[("font/ttf", each) for each in (EXE, PDF, PAGE, PNG)],
    *[("application/msword", each) for each in (PNG, PAGE)],
    *[
        (kind, each)
        for kind in ("text/plain", "text/csv", "text/markdown", "text/javascript", "application/geo+json")
        for each in (PNG, PDF, EXE, ELF, GZIP, zipped("a"), OLE, b"\xff\xd8\xff\xe0\x10JFIF", b"a\0b", b"a\x05")
    ],
    *[(kind, each) for kind in ("text/html", "application/gpx+xml") for each in (PNG, PDF, EXE, GZIP, zipped("a"))],
    *[
        ("text/plain", each)
        for each in (
            PAGE.decode().encode("utf-16"), b"\xfe\xff" + PAGE.decode().encode("utf-16-be"), XML,
            b"<img src=x onerror=alert(1)>", b"a <a/onclick = 'x'>", b"<body\tonload=x>",
            b"a\0b".decode().encode("utf-16"), b"a <ScRiPt>", b"a <object data=x>", b"a < iframe src=x>",
            "a\n<svg onload=x>".encode("utf-16"), b"\xff\xfe\x00\xd8a\x00",
        )
    ],
    *[("application/ld+json", each) for each in (PAGE, b"#!/bin/sh\n")],
]  # fmt: skip


def ids(cases: list[tuple[str, bytes]]) -> list[str]:
    """Names that stay: archives tell the time."""
    return [f"{number} {declared}" for number, (declared, _) in enumerate(cases)]


@pytest.mark.parametrize(("declared", "head"), HONEST, ids=ids(HONEST))
def test_everyday_files_are_taken(declared: str, head: bytes) -> None:
    check_type(declared, head[:1024])


@pytest.mark.parametrize(("declared", "head"), LIES, ids=ids(LIES))
def test_what_is_clearly_something_else_is_refused(declared: str, head: bytes) -> None:
    with pytest.raises(Problem) as raised:
        check_type(declared, head[:1024])
    assert [(each.path, each.code) for each in raised.value.errors] == [(("media_type",), "conflict")]
