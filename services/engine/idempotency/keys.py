"""Idempotency keys as clients send them: draft-ietf-httpapi-idempotency-key-header-07.

The header field is a structured field whose value is a string (RFC 9651, 3.3.3), sent in quotation marks. The form
without quotation marks, which most clients send, is accepted too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from services.catalogue.problems import BAD_REQUEST, Problem

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
"""Header field of a response that repeats a stored answer."""
MAX_KEY: Final = 255
"""Maximum length of a key in characters."""

FORM: Final = rf"""^("([ !#-\[\]-~]|\\["\\]){{1,{MAX_KEY}}}"|[!#-+\--:<-\[\]-~]{{1,{MAX_KEY}}})$"""
"""Pattern of the header field: a string of a structured field, or visible ASCII without `" , ; \\`."""

_FORM: Final = re.compile(FORM)
_ESCAPED: Final = re.compile(r"\\(.)")
_KEY: Final = re.compile(rf"[ -~]{{1,{MAX_KEY}}}")
_NAME: Final = HEADER.lower().encode()


def key_of_headers(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Return the key among header fields (names in lower case), or None. Raise `bad_request` for a malformed one."""
    values = [value for name, value in headers if name == _NAME]
    if not values:
        return None
    value = values[0].decode("latin-1").strip()
    if len(values) > 1 or not _FORM.fullmatch(value):
        raise Problem(
            BAD_REQUEST, f"The header {HEADER} must be there once, with 1 to {MAX_KEY} characters of ASCII in quotes."
        )
    return _ESCAPED.sub(r"\1", value[1:-1]) if value.startswith('"') else value


def checked_key(key: str) -> str:
    """Return a key that was given as an argument. Raise `validation_failed` for a malformed one."""
    if not _KEY.fullmatch(key):
        raise Problem.field("idempotency_key", "format", f"This must be 1 to {MAX_KEY} characters of printable ASCII.")
    return key
