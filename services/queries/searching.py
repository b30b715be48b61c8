"""Converts search texts to the syntax of PostgreSQL's `websearch_to_tsquery`.

A search consists of words, phrases in quotes, `or`, and terms excluded by a leading hyphen. PostgreSQL's parser would
treat `client/server`, `pool.py` and `foo.png` as one word each. So the searched texts (by the SQL function
`gateway_words`) and the search (by `words_of`) are split alike, at every character other than letters, marks and
digits; joined words are searched for as a phrase. Case, width and accents are ignored. Scripts without spaces between
words are split into characters.
"""

from __future__ import annotations

import re
from typing import Final
from unicodedata import normalize

from services.catalogue.text import fold


def _class(ranges: str) -> str:
    """Return a character class of hexadecimal ranges, in the common syntax of Python's and PostgreSQL's expressions."""
    bounds = (bound.partition("-") for bound in ranges.split())
    return "[" + "".join(f"\\U{first:0>8}" + (last and f"-\\U{last:0>8}") for first, _, last in bounds) + "]"


SEPARATORS: Final = _class(
    # Controls, punctuation and signs of ASCII and Latin-1
    "1-2f 3a-40 5b-60 7b-a9 ab-b4 b6-b9 bb-bf d7 f7 "
    # of other alphabets
    "37e 387 55a-55f 589-58a 5be 5c0 5c3 5c6 5f3-5f4 600-60f 61b-61f 66a-66d 6d4 964-965 970 e3f e4f e5a-e5b 104a-104f "
    "10fb 1360-1368 166d-166e 1735-1736 17d4-17db 1800-180a "
    # of all of them: punctuation, currencies, arrows, mathematics, frames, dingbats
    "2000-206f 20a0-20cf 2190-2bff 2e00-2e7f "
    # of East Asia
    "3000-3004 3008-3020 3030 303d 30a0 30fb 3200-33ff "
    # private use, variants, full width, specials
    "e000-f8ff fd3e-fd3f fe00-fe19 fe30-fe6f feff-ff0f ff1a-ff20 ff3b-ff40 ff5b-ff65 ffe0-ffff "
    # music, emoji, tags
    "1d000-1d1ff 1f000-1fbff e0000-e007f"
)
"""Characters that are not part of words."""
ALONE: Final = _class(
    # Thai, Lao, Burmese, Khmer
    "e01-e3a e40-e4e e81-ecd 1000-1049 1050-109d 1780-17d3 "
    # Kana, Bopomofo, Hangul, Han
    "3005-3006 3031-3035 3041-3096 309d-309f 30a1-30fa 30fc-30ff 3105-312f 31a0-31bf ac00-d7a3 3400-4dbf 4e00-9fff "
    "f900-faff 20000-3ffff"
)
"""Characters that are a word each."""
ACCENTS: Final = _class("300-36f")

_SEPARATORS, _ALONE, _ACCENTS = re.compile(SEPARATORS), re.compile(ALONE), re.compile(ACCENTS)
_OPERAND: Final = re.compile(r'(-*)(?:"([^"]*)"?|([^\s"]+))')

STOP_WORDS: Final = frozenset(
    """
    i me my myself we our ours ourselves you your yours yourself yourselves he him his himself she her hers herself
    it its itself they them their theirs themselves what which who whom this that these those am is are was were be
    been being have has had having do does did doing a an the and but if or because as until while of at by for with
    about against between into through during before after above below to from up down in out on off over under
    again further then once here there when where why how all any both each few more most other some such no nor not
    only own same so than too very s t can will just don should now
    """.split()  # noqa: SIM905 - a list of 127 strings is longer
)
"""The stop words of PostgreSQL's configuration `english`."""


def words_of(text: str) -> list[str]:
    """Return the words of a text, as `gateway_words` does."""
    plain = normalize("NFD", fold(normalize("NFKC", text)))
    plain = normalize("NFC", _ACCENTS.sub("", plain))
    return _ALONE.sub(r" \g<0> ", _SEPARATORS.sub(" ", plain)).split()


def search_query(text: str) -> str | None:
    """Return a search for `websearch_to_tsquery`; None if it contains no words except stop words."""
    operands, is_empty = [], True
    for hyphens, phrase, word in _OPERAND.findall(text):
        if fold(word) == "or" and not hyphens:
            operands.append("or")
            continue
        words = words_of(phrase or word)
        if words:
            operands.append(f'{"-" if hyphens == "-" else ""}"{" ".join(words)}"')
            is_empty = is_empty and STOP_WORDS.issuperset(words)
    return None if is_empty else " ".join(operands)
