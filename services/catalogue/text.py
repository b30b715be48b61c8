"""Text normalisation: Normalization Form C, and case folding (The Unicode Standard, 3.13, D145).

Operations receive every text of an input, a filter or a search in NFC. Comparisons that ignore case use `fold(text)`,
or in SQL the function `gateway_fold` (services/storage/base.py), which gives the same result on every version of
PostgreSQL and in every locale.

Normalisation sorts consecutive combining marks in quadratic time, so that a body of 600 kB could take minutes. No
language needs more consecutive marks than the Stream-Safe Text Format allows (UAX #15, 13).
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Final
from unicodedata import combining, normalize

from pydantic_core import PydanticCustomError

MOST_MARKS: Final = 30
"""The highest number of consecutive combining marks."""
_JOINER: Final = "\u034f"
"""The combining grapheme joiner. It separates runs of marks for normalisation, but searches remove it first."""


def nfc(text: str) -> str:
    """Normalise the text to Normalization Form C (UAX #15).

    Raises PydanticCustomError (a ValueError) for too many consecutive combining marks.
    """
    if text.isascii():
        return text
    if len(text) > MOST_MARKS and all(pattern.search(text) for pattern in _mark_runs()):
        raise PydanticCustomError("marks", f"This has more than {MOST_MARKS} combining marks in a row.")
    return normalize("NFC", text)


@cache
def _mark_runs() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return two patterns that find too many consecutive marks: a fast approximate one and an exact one.

    The approximate one counts all characters above U+FFFF as marks, which is thirty times as fast. A mark is any
    character that some normal form decomposes into marks.
    """
    alphabets = map(chr, range(0x300, 0x1F000))  # pictographs and ideographs follow
    marks = [character for character in alphabets if character == _JOINER or combining(normalize("NFKD", character)[0])]
    low = "".join(mark for mark in marks if mark <= "\uffff")
    classes = f"[{low}\U00010000-\U0010ffff]", f"[{''.join(marks)}]"
    # A pattern that begins with a class is twice as fast as one that begins with a repetition.
    quick, exact = (re.compile(f"{character_class}{character_class}{{{MOST_MARKS}}}") for character_class in classes)
    return quick, exact


def normalised(value: Any) -> Any:
    """Return a JSON value, or a list of them, with every text in NFC. Raises as `nfc`."""
    if isinstance(value, str):
        return nfc(value)
    return [normalised(entry) for entry in value] if isinstance(value, list) else value


def fold(text: str) -> str:
    """Return the text with full case folding, in NFC: `Straße` equals `STRASSE`, ΟΔΟΣ equals οδος."""
    if text.isascii():
        return text.lower()
    # Unicode folds Cherokee to upper case; lower() afterwards gives lower case, as PostgreSQL's lower() does.
    return normalize("NFC", normalize("NFC", text).casefold().lower())
