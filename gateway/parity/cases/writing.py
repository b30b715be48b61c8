"""Values in many JSON notations, valid or not, whose outcomes are compared: every path must treat them alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

import orjson

from gateway.parity.world.values import Field, Refer, right
from services.catalogue.scalars import FieldType

Written = Mapping[str, str]
"""JSON texts by what distinguishes them."""

_NUMBERS: Final[Written] = {
    "a point": "2.0", "an exponent": "2e0", "a negative exponent": "20E-1", "a positive exponent": "0.2e+1",
    "many digits": "2.00000000000000000000000000001", "minus zero": "-0", "minus zero, a point": "-0.0", "zero": "0.0",
    "a fraction": "2.5", "great": "1e9", "32 bits": "2147483647.0", "more than 32 bits": "2147483648.0",
    "least of 32 bits": "-2147483648", "less than 32 bits": "-2147483649.0", "53 bits": "9007199254740993",
    "more than 64 bits": "10000000000000000000000", "endless": "1e400", "no number": "NaN", "infinity": "-Infinity",
    "a zero before it": "02", "true": "true", "a text": '"2"', "a text with a point": '"2.0"',
}  # fmt: skip
_TEXTS: Final[Written] = {
    "escapes": r'"\u0041b\u00e9\/\u2028\ud83d\ude42"',
    "a surrogate": r'"a\ud83d"',
    "surrogates turned round": r'"\ude42\ud83d"',
    "a NUL": r'"a\u0000"',
    "controls": r'"a\t\r\n\u0001\u007f\u0085"',
    "a raw control": '"a\tb"',
    "blanks around": '"\u00a0\u2003a\u2028\u3000"',
    "blanks without a width": '"\u200ba\ufeff"',
    "only blanks": '"\u00a0\u2003\u2028"',
    "only blanks without a width": '"\u200b\u2060"',
    "composed (NFC)": '"\u00e9\u1e9b\u0323"',
    "decomposed (NFD)": '"e\u0301\u017f\u0323\u0307"',
    "compatible (NFKC)": '"\ufb01\u2460\uff21\u2126"',
    "marks": '"a\u0301\u0302\u0303\u0304\u0305"',
    "right to left": '"\u05e9\u05dc\u05d5\u05dd \u202eabc\u202c \u0645\u0631"',
    "joined": '"\U0001f469\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea \U0001f44d\U0001f3fd"',
    "cases": '"\u0130\u0131\u00df\u03c3\u03c2\ufb03"',
    "no characters": '"\ufffe\uffff\U0010ffff"',
    "a number": "2.0",
}
_INSTANTS: Final[Written] = {
    instant: f'"{instant}"'
    for instant in (
        "2030-01-31T12:00:00.1234567Z", "2030-01-31T12:00:00.123456789Z", "2030-01-31T12:00:00.9999999999999999+02:00",
        "2030-01-31T12:00:00,5Z", "2030-01-31t12:00:00z", "2030-01-31 12:00:00Z", "2030-01-31T12:00Z",
        "2030-12-31T23:59:60Z", "2030-12-31T23:59:60.5+00:00", "2030-01-31T12:00:60Z", "2030-01-31T24:00:00Z",
        "0001-01-01T00:00:00.000001Z", "0001-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z",
        "9999-12-31T23:59:59.9999981Z", "2030-01-31T12:00:00+14:00", "2030-01-31T12:00:00-12:00",
        "2030-01-31T12:00:00-00:00", "2030-01-31T12:00:00+14:60", "2030-02-29T12:00:00Z", "+12030-01-31T12:00:00Z",
        r"2030-01-31T12\u003a00:00Z", "2030-01-31T12:00:00Z\u00a0", "\u0662030-01-31T12:00:00Z",
    )
}  # fmt: skip
_BOOLEANS: Final[Written] = {"a number": "1", "zero": "0", "a point": "1.0", "a text": '"true"', "capitals": "True"}
_BY_TYPE: Final[Mapping[Any, Written]] = {int: _NUMBERS, bool: _BOOLEANS, datetime: _INSTANTS, str: _TEXTS}
_SMALL: Final = ("\U0001d54f", "e\u0301", "\u0130")
"""An astral character, one of two code points, and one that is longer in lower case."""
_MOST_CHARACTERS: Final = 2_000
"""The greatest `maxLength` for which texts of that length are sent."""


def written(field: Field, salt: str, refer: Refer) -> Iterator[tuple[str, Any]]:
    """Yield values of a field as JSON fragments, by what distinguishes them."""
    for name, text in _texts(field, salt, refer):
        yield name, orjson.Fragment(f"[{text}]" if field.kind.many else text)


def _texts(field: Field, salt: str, refer: Refer) -> Iterator[tuple[str, str]]:
    kind = field.kind
    if kind.python in (int, bool, datetime):
        yield from _BY_TYPE[kind.python].items()
    elif kind.enum is not None:
        yield from _forms(list(kind.enum)[-1].value)
        yield "a number", "1"
    elif field.prefix:
        reference = refer(field.prefix)
        if reference is not None:
            yield from _forms(reference)
    elif field.is_text:
        yield from _TEXTS.items()
        longest = field.schema.get("maxLength", _MOST_CHARACTERS + 1)
        for character in _SMALL if longest <= _MOST_CHARACTERS else ():
            text = character * (longest // len(character))
            yield f"as long as it may be, of {text[:2]!a}", orjson.dumps(text).decode()
        valid = right(field, salt, refer)
        if isinstance(valid, str):
            yield from _forms(valid)


def written_operands(kind: FieldType) -> Iterator[tuple[str, Any]]:
    """Yield operands of a filter likewise, those that are valid JSON and neither a list nor an object."""
    for name, text in _BY_TYPE.get(kind.python, {}).items():
        with suppress(orjson.JSONDecodeError):
            yield name, orjson.loads(text)


def _forms(text: str) -> Iterator[tuple[str, str]]:
    """Yield other notations of a valid text: an escape, and blanks around it."""
    yield "escaped", f'"\\u{ord(text[0]):04x}{orjson.dumps(text[1:]).decode()[1:]}'
    for name, blank in (("a blank", " "), ("a blank that does not break", "\u00a0"), ("a mark of the order", "\ufeff")):
        yield f"{name} before it", orjson.dumps(blank + text).decode()
        yield f"{name} behind it", orjson.dumps(text + blank).decode()
