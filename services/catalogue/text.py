"""Text as it is kept and compared: Normalization Form C, and folding of case (The Unicode Standard, 3.13, D145).

Every text of an input, a filter or a search is in NFC by the time an operation sees it. What ignores case compares
`fold(text)`; in SQL that is the function `gateway_fold` (services/storage/base.py), which gives the same on every
version of PostgreSQL and in every locale.

Marks that follow each other are sorted by whatever normalises them, in time that grows with the square of their number:
a body of 600 kB takes minutes. No language has more of them than the Stream-Safe Text Format allows (UAX #15, 13).
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Final
from unicodedata import combining, normalize

from pydantic_core import PydanticCustomError

MOST_MARKS: Final = 30
"""Combining marks that may follow each other."""
_JOINER: Final = "\u034f"
"""It parts marks where texts are normalised, but searches leave it out before that."""


def nfc(text: str) -> str:
    """The text in Normalization Form C (UAX #15). Raises PydanticCustomError (a ValueError) for too many marks in a
    row.
    """
    if text.isascii():
        return text
    if len(text) > MOST_MARKS and all(each.search(text) for each in _piles()):
        raise PydanticCustomError("marks", f"This has more than {MOST_MARKS} combining marks in a row.")
    return normalize("NFC", text)


@cache
def _piles() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """What finds too many marks in a row: first by taking all characters above U+FFFF for marks, which is thirty times
    as fast, then for certain. What some normal form decomposes into marks is a mark.
    """
    alphabets = map(chr, range(0x300, 0x1F000))  # behind them are pictures and ideographs
    marks = [each for each in alphabets if each == _JOINER or combining(normalize("NFKD", each)[0])]
    low = "".join(each for each in marks if each <= "\uffff")
    classes = f"[{low}\U00010000-\U0010ffff]", f"[{''.join(marks)}]"
    # Begun by a class it is twice as fast as by a repetition.
    quick, exact = (re.compile(f"{each}{each}{{{MOST_MARKS}}}") for each in classes)
    return quick, exact


def normalised(value: Any) -> Any:
    """A value of JSON with every text of it in NFC: the value itself, or those of a list in it. Raises what `nfc`
    does.
    """
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
