"""Identifiers and instants, as both faces read and write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated
from uuid import UUID

import pytest
from pydantic import TypeAdapter, ValidationError

from services.catalogue import Identifier, Instant, Int32, new_key
from services.catalogue.identifiers import split_identifier
from services.catalogue.scalars import format_instant, parse_instant, written_number

KEY = UUID("0198c0de-0000-7000-8000-00000000abcd")
TEXT = "itm_0198c0de00007000800000000000abcd"
ITEM = Identifier("itm")
ITEM_ID: TypeAdapter[UUID] = TypeAdapter(Annotated[UUID, ITEM])


def test_keys_are_uuid7_in_the_order_of_their_making() -> None:
    made = [new_key() for _ in range(100)]
    assert {(key.version, key.variant) for key in made} == {(7, "specified in RFC 4122")}
    assert made == sorted(made)
    assert type(made[0]) is UUID


def test_identifier_is_the_prefix_and_the_key_there_and_back() -> None:
    assert ITEM.encode(KEY) == TEXT
    assert ITEM.decode(TEXT) == KEY
    assert split_identifier(TEXT) == ("itm", KEY)
    assert ITEM_ID.validate_json(f'"{TEXT}"') == KEY
    assert ITEM_ID.dump_json(KEY) == f'"{TEXT}"'.encode()
    assert ITEM_ID.validate_python(KEY) == KEY


@pytest.mark.parametrize(
    "text",
    [
        "", "itm_", TEXT.upper(), TEXT[:-1], TEXT + "0", TEXT.replace("itm", "usr"), TEXT.replace("itm_", ""),
        TEXT.replace("_", "-"), " " + TEXT, TEXT + "\n", TEXT + "\x00", str(KEY), f"itm_{KEY}", TEXT[:-1] + "g",
        TEXT[:-1] + "٣",
    ],
)  # fmt: skip
def test_anything_else_is_no_identifier(text: str) -> None:
    with pytest.raises(ValueError, match="not an identifier of the form"):
        ITEM.decode(text)
    with pytest.raises(ValidationError, match="identifier"):
        ITEM_ID.validate_json(TypeAdapter(str).dump_json(text))


@pytest.mark.parametrize("data", ["1", "null", "true", "[]", "{}"])
def test_identifier_is_a_text(data: str) -> None:
    with pytest.raises(ValidationError):
        ITEM_ID.validate_json(data)


INSTANTS = {
    "2030-01-31T12:00:00Z": "2030-01-31T12:00:00.000000Z",
    "2030-01-31t12:00:00z": "2030-01-31T12:00:00.000000Z",
    "2030-01-31 12:00:00Z": "2030-01-31T12:00:00.000000Z",
    "2030-01-31T12:00:00.1Z": "2030-01-31T12:00:00.100000Z",
    "2030-01-31T12:00:00.123456+00:00": "2030-01-31T12:00:00.123456Z",
    "2030-01-31T12:00:00-00:00": "2030-01-31T12:00:00.000000Z",
    "2030-01-31T00:30:00+01:00": "2030-01-30T23:30:00.000000Z",
    "2030-01-31T23:30:00-12:30": "2030-02-01T12:00:00.000000Z",
    "2028-02-29T00:00:00Z": "2028-02-29T00:00:00.000000Z",
    "0001-01-01T00:00:00.000001Z": "0001-01-01T00:00:00.000001Z",
    # .NET has seven digits of a second, Go and Java nine: they are cut, not rounded.
    "2030-01-31T12:00:00.1234567Z": "2030-01-31T12:00:00.123456Z",
    "2030-12-31T23:59:59.9999999Z": "2030-12-31T23:59:59.999999Z",
    "2030-01-31T12:00:00.123456789+02:00": "2030-01-31T10:00:00.123456Z",
    "1969-12-31T23:59:59.1234569Z": "1969-12-31T23:59:59.123456Z",
    f"2030-01-31T12:00:00.{'9' * 32}Z": "2030-01-31T12:00:00.999999Z",
    "2030-01-31T12:00:00,5Z": "2030-01-31T12:00:00.500000Z",
    "2016-12-31T23:59:60Z": "2017-01-01T00:00:00.000000Z",
    "2016-12-31T15:59:60.25-08:00": "2017-01-01T00:00:00.250000Z",
    "2030-01-31T12:00:00+14:00": "2030-01-30T22:00:00.000000Z",
    "2030-01-31T12:00:00-12:00": "2030-02-01T00:00:00.000000Z",
    "9999-12-31T23:59:59.999998Z": "9999-12-31T23:59:59.999998Z",
}


@pytest.mark.parametrize("text", INSTANTS)
def test_instant_is_read_in_any_form_of_rfc_3339_and_written_in_one(text: str) -> None:
    found = parse_instant(text)
    assert found.tzinfo is UTC
    assert format_instant(found) == INSTANTS[text]
    assert TypeAdapter(Instant).dump_json(found) == f'"{INSTANTS[text]}"'.encode()


@pytest.mark.parametrize(
    "text",
    [
        "", "now", "2030-01-31", "12:00:00Z", "2030-01-31T12:00Z", "2030-01-31T12:00:00", "20300131T120000Z",
        "2030-01-31T12:00:00.Z", f"2030-01-31T12:00:00.{'1' * 33}Z", "2030-01-31T12:00:00;5Z",
        "2030-01-31T12:00:00+0100", "2030-01-31T12:00:00+01",
        "2030-02-30T12:00:00Z", "2029-02-29T12:00:00Z", "2030-13-01T12:00:00Z", "2030-01-31T24:00:01Z",
        "2030-01-31T24:00:00Z", "2030-01-31T12:00:60Z", "2030-01-31T23:59:60+01:00", "2030-01-31T23:59:61Z",
        "9999-12-31T23:59:60Z", "2030-01-31T12:00:00+14:60", "2030-01-31T12:60:00Z",
        "2030-01-31T12:00:00+24:00", "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z",
        "9999-12-31T23:59:59-01:00", "-2030-01-31T12:00:00Z", "2030-01-31T12:00:00Z\n",
        " 2030-01-31T12:00:00Z", "٢٠٣٠-01-31T12:00:00Z", "2030-W05-4T12:00:00Z", "1893456000",
    ],
)  # fmt: skip
def test_anything_else_is_no_instant(text: str) -> None:
    with pytest.raises(ValueError, match="not an RFC 3339 date-time with an offset"):
        parse_instant(text)


@pytest.mark.parametrize("data", ["1893456000", "null", '"2030-01-31T12:00:00"', "true"])
def test_instant_is_a_text_with_an_offset(data: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Instant).validate_json(data)


def test_instant_of_another_zone_is_written_in_utc() -> None:
    there = datetime(2030, 1, 31, 12, 0, 0, 7, timezone(timedelta(hours=5, minutes=30)))
    assert format_instant(there) == "2030-01-31T06:30:00.000007Z"


@pytest.mark.parametrize(
    "data",
    [
        "2147483648",
        "-2147483649",
        "2147483648.0",
        "1.5",
        "1e-1",
        "1e10",
        '"1"',
        '"1.0"',
        "true",
        "null",
        "9" * 30,
        "1e400",
    ],
)
def test_integer_is_one_of_32_bits(data: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Int32).validate_json(data)


INTEGERS = {
    "2147483647": 2**31 - 1, "-2147483648": -(2**31), "0": 0, "2.0": 2, "2e0": 2, "20E-1": 2, "1e9": 10**9, "-0": 0,
    "-0.0": 0, "2147483647.0": 2**31 - 1,
}  # fmt: skip


@pytest.mark.parametrize("data", INTEGERS)
def test_integer_is_taken_whichever_way_it_is_written(data: str) -> None:
    found = TypeAdapter(Int32).validate_json(data)
    assert (found, type(found)) == (INTEGERS[data], int)
    assert (written_number(data), type(written_number(data))) == (INTEGERS[data], int)


@pytest.mark.parametrize("text", ["", "x", "2,0", "+2", "2.", ".5", "2 ", "1e", "0x1", "٣", "NaN", "Infinity", "1e400"])
def test_any_other_text_is_no_number(text: str) -> None:
    assert written_number(text) == text


@pytest.mark.parametrize(("text", "value"), [("007", 7), ("0" * 5_000, 0), ("-" + "9" * 5_000, -999_999_999_999)])
def test_number_in_a_text_may_have_many_digits(text: str, value: int) -> None:
    assert written_number(text) == value


@pytest.mark.parametrize("start", ["", "1", "0.", "1e"])
def test_what_is_almost_a_number_is_read_once(start: str) -> None:
    """Where digits are tried again and again, a hundredth of this takes a minute, and all of it a week."""
    text = start + "0" * 1_000_000 + "x"
    assert written_number(text) == text


def test_fraction_stays_one() -> None:
    assert written_number("2.5") == 2.5
