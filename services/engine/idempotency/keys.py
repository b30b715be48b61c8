"""Idempotency keys as clients send them: draft-ietf-httpapi-idempotency-key-header-07.

The header field is a structured field whose value is a string (RFC 9651, 3.3.3): it is sent in quotation marks. Most
clients leave them away, and are understood.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from services.catalogue.problems import BAD_REQUEST, Problem

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
"""The header field of an answer that is a first one again."""
MAX_KEY: Final = 255
"""Characters of a key."""

FORM: Final = rf"""^("([ !#-\[\]-~]|\\["\\]){{1,{MAX_KEY}}}"|[!#-+\--:<-\[\]-~]{{1,{MAX_KEY}}})$"""
"""What the header field must match: a string of a structured field, or visible ASCII without `" , ; \\`."""

_FORM: Final = re.compile(FORM)
_ESCAPED: Final = re.compile(r"\\(.)")
_KEY: Final = re.compile(rf"[ -~]{{1,{MAX_KEY}}}")
_NAME: Final = HEADER.lower().encode()


def key_of_headers(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The key among header fields, names in lower case; None without one. Raises `bad_request` naming the header."""
    given = [value for name, value in headers if name == _NAME]
    if not given:
        return None
    text = given[0].decode("latin-1").strip()
    if len(given) > 1 or not _FORM.fullmatch(text):
        raise Problem(
            BAD_REQUEST, f"The header {HEADER} must be there once, with 1 to {MAX_KEY} characters of ASCII in quotes."
        )
    return _ESCAPED.sub(r"\1", text[1:-1]) if text.startswith('"') else text


def checked_key(text: str) -> str:
    """The key in an argument, which is the same as in a header field. Raises `validation_failed` naming it."""
    if not _KEY.fullmatch(text):
        raise Problem.field("idempotency_key", "format", f"This must be 1 to {MAX_KEY} characters of printable ASCII.")
    return text
