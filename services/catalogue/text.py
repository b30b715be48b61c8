"""Text as it is kept and compared: Normalization Form C, and folding of case (The Unicode Standard, 3.13, D145).

Every text of an input, a filter or a search is in NFC by the time an operation sees it. What ignores case compares
`fold(text)`; in SQL that is the function `gateway_fold` (services/storage/base.py), which gives the same on every
version of PostgreSQL and in every locale.
"""

from __future__ import annotations

from typing import Any
from unicodedata import normalize


def nfc(text: str) -> str:
    """The text in Normalization Form C (UAX #15)."""
    return text if text.isascii() else normalize("NFC", text)


def normalised(value: Any) -> Any:
    """A value of JSON with every text of it in NFC: the value itself, or those of a list in it."""
    if isinstance(value, str):
        return nfc(value)
    return [normalised(each) for each in value] if isinstance(value, list) else value


def fold(text: str) -> str:
    """The text without regard to case: full case folding, in NFC. `Straße` and `STRASSE` are the same, and so are ΟΔΟΣ
    and οδος.
    """
    if text.isascii():
        return text.lower()
    # Unicode folds Cherokee to its capitals; here, as with PostgreSQL's lower(), it is the other way round.
    return normalize("NFC", normalize("NFC", text).casefold().lower())
