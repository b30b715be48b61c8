"""Bytes that are something else than they are called are refused, and honest ones are not."""

from __future__ import annotations

import pytest

from services.catalogue import Problem
from services.files.sniffing import check_type
from tests.support.accounts import Account
from tests.support.faces import Face
from tests.support.uploads import PNG, announced

PAGE = "<script>alert(1)</script>"
DISGUISED = {
    "HTML as an image": ("image/png", b"<!DOCTYPE html>" + PAGE.encode()),
    "HTML as text": ("text/plain", b"\n  <HtMl><body onload=alert(1)>"),
    "HTML behind text": ("text/plain", b"Dear all,\n" + PAGE.encode()),
    "HTML behind a mark": ("application/zip", b"\xef\xbb\xbf <!DOCTYPE html>"),
    "HTML as JSON": ("application/json", PAGE.encode()),
    "HTML as CSV": ("text/csv", PAGE.encode()),
    "HTML in UTF-16 as text": ("text/plain", PAGE.encode("utf-16")),
    "HTML in UTF-16 of the other end": ("application/x-brass", b"\xfe\xff" + PAGE.encode("utf-16-be")),
    "HTML in UTF-16 without a mark": ("application/x-brass", PAGE.encode("utf-16-le")),
    "SVG as an image": ("image/gif", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"),
    "SVG behind a comment as text": ("text/plain", b"<!-- brass --><svg onload=alert(1)>"),
    "a script as text": ("text/plain", b"#!/bin/sh\nrm -rf /"),
    "a script behind a mark as text": ("text/plain", b"\xef\xbb\xbf#!/usr/bin/env python\n"),
    "a script as an image": ("image/png", b"#!/bin/sh\n"),
    "a script as JSON": ("application/json", b"#!/bin/sh\n"),
    "PHP as text": ("text/plain", b"brass <?php system($_GET['x']);"),
    "a picture as a document": ("application/pdf", PNG),
    "a picture as another": ("image/jpeg", PNG),
    "a picture as a page": ("text/html", PNG),
    "bytes as text": ("text/plain", b"brass\x00wheel"),
    "bytes as JSON": ("application/json", b"{}\x00"),
    "nothing as a picture": ("image/png", b""),
    "nothing as a picture of an unknown kind": ("image/x-brass", b""),
    "nothing as a document": ("application/pdf", b""),
}
HONEST = {
    "text": ("text/plain", "Ärger < 3 und > 4, 漢: <b>a</b>\n".encode()),
    "text that begins as some file does": ("text/csv", b"Maya,Blender\n"),
    "text without anything": ("text/plain", b""),
    "HTML": ("text/html", b"<!DOCTYPE html><title>x</title>"),
    "HTML in UTF-16": ("text/html", PAGE.encode("utf-16")),
    "SVG": ("image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
    "XML": ("text/xml", b"<?xml version='1.0'?><a/>"),
    "Markdown with HTML": ("text/markdown", b"# Brass\n<img src='a.png'>"),
    "JSON with HTML": ("application/json", b'{"body": "<script>1</script>"}'),
    "JSON": ("application/json", b'{"a": 1}'),
    "JSON of a list": ("application/json", b"[1]"),
    "a script": ("application/x-sh", b"#!/bin/sh\n"),
    "a script that is text": ("text/x-python", b"#!/usr/bin/env python\n"),
    "PNG": ("image/png", PNG),
    "GIF": ("image/gif", b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"),
    "AVIF": ("image/avif", b"\x00\x00\x00\x1cftypavif\x00\x00\x00\x00avifmif1miaf"),
    "PDF": ("application/pdf", b"%PDF-1.7\n"),
    "a type that nobody knows": ("application/x-brass", b"\x01\x02brass"),
    "nothing of a type that nobody knows": ("application/x-brass", b""),
    "HTML that is never shown": ("application/octet-stream", PAGE.encode()),
}


@pytest.mark.parametrize("case", DISGUISED)
def test_bytes_of_another_type_are_refused(case: str) -> None:
    with pytest.raises(Problem) as raised:
        check_type(*DISGUISED[case])
    assert [(each.path, each.code) for each in raised.value.errors] == [(("media_type",), "conflict")]


@pytest.mark.parametrize("case", HONEST)
def test_bytes_of_the_declared_type_are_taken(case: str) -> None:
    check_type(*HONEST[case])


@pytest.mark.parametrize("name", ["a\u200b.png", "a\u200d.png", "\ufeffa", "a\u00ad.png", "exe.\u2067gpj", "a\u2028b"])
async def test_names_with_what_cannot_be_seen_are_refused(face: Face, ada: Account, name: str) -> None:
    answer = await face.call("create_file", ada, announced(PNG, name=name))
    assert (answer.problem, answer.errors) == ("validation_failed", {"name": "format"})
    assert (await face.ok("list_files", ada, filter={"user_id": ada.id}))["data"] == []


@pytest.mark.parametrize("name", ["x" * 255, ".hidden", "Käfer 🐞.png", "漢字", "...a"])
async def test_names_of_any_language_are_kept(face: Face, ada: Account, name: str) -> None:
    made = await face.ok("create_file", ada, announced(PNG, name=name))
    assert (await face.ok("get_file", ada, id=made["id"]))["name"] == name
