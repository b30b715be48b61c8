"""What a list is asked for: filters, orders and cursors, checked before any SQL is made of them."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any
from uuid import UUID

import orjson
import pytest

from services.catalogue import Problem
from services.catalogue.scalars import Operator
from services.queries.cursors import CursorCodec, SortTerm
from services.queries.filters import AllOf, AnyOf, Condition, Not, conditions, parse_filter
from services.queries.lists import list_arguments
from services.sample.items.models import ItemStatus
from services.sample.items.resource import items
from services.sample.labels.resource import labels

KEY = UUID("0198c0de-0000-7000-8000-00000000abcd")
NOON = datetime(2030, 1, 31, 12, tzinfo=UTC)
CODEC = CursorCodec(b"k" * 32)
BY_TITLE = (SortTerm("title"), SortTerm("id"))


def faults(function: Any, *arguments: Any) -> dict[tuple[Any, ...], str]:
    """The field errors that a call is refused with: codes by path."""
    with pytest.raises(Problem) as caught:
        function(*arguments)
    assert caught.value.type.code == "validation_failed"
    return {error.path: error.code for error in caught.value.errors}


def test_filter_becomes_typed_conditions() -> None:
    asked = {
        "title": {"contains": "wheel", "ne": "x"},
        "status": {"in": ["open", "in_progress"]},
        "due_at": {"gte": "2030-01-31T13:00:00+01:00"},
        "creator_id": f"usr_{KEY.hex}",
        "parent_id": {"is_null": True},
    }
    assert list(conditions(parse_filter(items, asked))) == [
        Condition("title", Operator.CONTAINS, "wheel"),
        Condition("title", Operator.NE, "x"),
        Condition("status", Operator.IN, (ItemStatus.OPEN, ItemStatus.IN_PROGRESS)),
        Condition("due_at", Operator.GTE, NOON),
        Condition("creator_id", Operator.EQ, KEY),
        Condition("parent_id", Operator.IS_NULL, True),
    ]


def test_filter_keeps_its_shape() -> None:
    one, two = Condition("priority", Operator.EQ, 1), Condition("priority", Operator.EQ, 2)
    found = parse_filter(items, {"or": [{"priority": 1}, {"not": {"priority": 2}}], "and": [{"priority": 1}]})
    assert found == AllOf((AnyOf((one, Not(two))), AllOf((one,))))
    assert parse_filter(items, {}) == AllOf(())
    assert parse_filter(items, {"or": []}) == AnyOf(())


FILTERS: dict[str, tuple[Any, tuple[Any, ...], str]] = {
    "no object": ([], ("filter",), "type"),
    "unknown field": ({"password_hash": "x"}, ("filter", "password_hash"), "unknown"),
    "field that is no filter": ({"description": "x"}, ("filter", "description"), "unknown"),
    "unknown operator": ({"title": {"like": "x"}}, ("filter", "title", "like"), "unknown"),
    "operator of another type": ({"status": {"contains": "o"}}, ("filter", "status", "contains"), "unknown"),
    "null test of what is never null": ({"title": {"is_null": True}}, ("filter", "title", "is_null"), "unknown"),
    "null test of text": ({"due_at": {"is_null": "yes"}}, ("filter", "due_at", "is_null"), "type"),
    "wrong type": ({"priority": "high"}, ("filter", "priority"), "type"),
    "boolean as integer": ({"priority": True}, ("filter", "priority"), "type"),
    "32 bits": ({"priority": {"gt": 2**31}}, ("filter", "priority", "gt"), "range"),
    "64 bits": ({"priority": {"gt": 2**70}}, ("filter", "priority", "gt"), "range"),
    "unknown choice": ({"status": "gone"}, ("filter", "status"), "choice"),
    "naive instant": ({"due_at": {"lt": "2030-01-31T12:00:00"}}, ("filter", "due_at", "lt"), "format"),
    "foreign identifier": ({"creator_id": f"itm_{KEY.hex}"}, ("filter", "creator_id"), "format"),
    "null": ({"due_at": {"eq": None}}, ("filter", "due_at", "eq"), "type"),
    "NUL": ({"title": {"contains": "a\x00b"}}, ("filter", "title", "contains"), "format"),
    "long text": ({"title": "x" * 501}, ("filter", "title"), "length"),
    "in without list": ({"status": {"in": "open"}}, ("filter", "status", "in"), "type"),
    "in with too many": ({"priority": {"in": [1] * 101}}, ("filter", "priority", "in"), "length"),
    "wrong value in a list": ({"status": {"in": ["open", "x"]}}, ("filter", "status", "in", 1), "choice"),
    "and without list": ({"and": {"title": "x"}}, ("filter", "and"), "type"),
    "or with no filter": ({"or": [{"title": "x"}, 1]}, ("filter", "or", 1), "type"),
    "not with a list": ({"not": []}, ("filter", "not"), "type"),
    "fault deep inside": ({"or": [{"not": {"title": {"x": 1}}}]}, ("filter", "or", 0, "not", "title", "x"), "unknown"),
    "too many conditions": ({"and": [{"priority": {"gt": 1, "lt": 3}}] * 26}, ("filter",), "length"),
    "too many filters": ({"or": [{}] * 51}, ("filter", "or"), "length"),
    "too deep": ({"not": {"not": {"not": {"not": {"not": {}}}}}}, ("filter", *["not"] * 5), "length"),
}


@pytest.mark.parametrize("case", FILTERS)
def test_filter_with_a_fault_names_the_place(case: str) -> None:
    asked, path, code = FILTERS[case]
    assert faults(parse_filter, items, asked) == {path: code}


def test_newest_come_first_unless_asked_otherwise() -> None:
    assert list_arguments(items, {}).order == (SortTerm("id", descending=True),)
    assert list_arguments(items, {"sort": ["title", "-due_at"]}).order == (
        SortTerm("title"), SortTerm("due_at", descending=True), SortTerm("id", descending=True),
    )  # fmt: skip


ARGUMENTS: dict[str, tuple[dict[str, Any], tuple[Any, ...], str]] = {
    "limit of none": ({"limit": 0}, ("limit",), "range"),
    "limit above": ({"limit": 101}, ("limit",), "range"),
    "limit as text": ({"limit": "ten"}, ("limit",), "type"),
    "limit as boolean": ({"limit": True}, ("limit",), "type"),
    "skip below": ({"skip": -1}, ("skip",), "range"),
    "skip above": ({"skip": 10_001}, ("skip",), "range"),
    "skip and cursor": ({"skip": 1, "after": "x"}, ("skip",), "conflict"),
    "unknown sort": ({"sort": ["title", "search_vector"]}, ("sort", 1), "choice"),
    "sort twice": ({"sort": ["title", "-title"]}, ("sort", 1), "conflict"),
    "double minus": ({"sort": ["--title"]}, ("sort", 0), "choice"),
    "many sorts": ({"sort": ["title"] * 6}, ("sort",), "length"),
    "long search": ({"q": "x" * 201}, ("q",), "length"),
    "NUL in search": ({"q": "a\x00"}, ("q",), "format"),
}


@pytest.mark.parametrize("case", ARGUMENTS)
def test_list_argument_with_a_fault_is_named(case: str) -> None:
    given, path, code = ARGUMENTS[case]
    assert faults(list_arguments, items, given) == {path: code}


def test_list_that_cannot_be_searched_says_so() -> None:
    assert faults(list_arguments, labels, {"q": "bug"}) == {("q",): "unknown"}


def test_cursor_gives_back_what_went_in() -> None:
    order = (SortTerm("due_at", descending=True), SortTerm("status"), SortTerm("title"), SortTerm("id"))
    for due in (NOON, None):
        values = (due, ItemStatus.DONE, "Brass \U0001f40e wheels", KEY)
        text = CODEC.encode(items, order, values)
        assert CODEC.decode(items, order, text) == values
        assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


CURSOR = CODEC.encode(items, BY_TITLE, ("Brass", KEY))
OTHERS: dict[str, tuple[CursorCodec, Any, Any]] = {
    "another key": (CursorCodec(b"o" * 32), items, BY_TITLE),
    "another resource": (CODEC, labels, (SortTerm("name"), SortTerm("id"))),
    "another direction": (CODEC, items, (SortTerm("title", descending=True), SortTerm("id"))),
    "another order": (CODEC, items, (SortTerm("id"), SortTerm("title"))),
    "a longer order": (CODEC, items, (*BY_TITLE, SortTerm("priority"))),
    "a shorter order": (CODEC, items, (SortTerm("id"),)),
}


@pytest.mark.parametrize("case", OTHERS)
def test_cursor_of_another_list_is_refused(case: str) -> None:
    codec, resource, order = OTHERS[case]
    assert faults(codec.decode, resource, order, CURSOR, ("after",)) == {("after",): "cursor"}


def rewritten(text: str, old: bytes, new: bytes) -> str:
    raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    assert old in raw
    return urlsafe_b64encode(raw.replace(old, new)).rstrip(b"=").decode()


TAMPERED: dict[str, str] = {
    "empty": "",
    "one letter": "x",
    "end cut off": CURSOR[:-2],
    "start cut off": CURSOR[2:],
    "letters at the end": CURSOR + "AAAA",
    "not ASCII at the end": CURSOR + "é",
    "exclamation mark at the end": CURSOR + "!",
    "line break at the end": CURSOR + "\n",
    "padding at the start": "=" + CURSOR,
    "padding at the end": CURSOR + "=",
    "space inside": CURSOR[:9] + " " + CURSOR[9:],
    "many times": CURSOR * 40,
    "three megabytes": "A" * 3_000_000,
    "lone surrogate": "\ud800",
    "NUL": "\x00",
    "another value": rewritten(CURSOR, b"Brass", b"Brasz"),
}


BY_STATUS = (SortTerm("status"), SortTerm("id"))


def test_cursor_behind_a_value_that_no_member_of_the_enum_has_gives_it_back() -> None:
    text = CODEC.sign(items, BY_STATUS, ["postponed", f"itm_{KEY.hex}"])
    assert CODEC.decode(items, BY_STATUS, text) == ("postponed", KEY)


def test_cursor_from_when_enums_were_sorted_by_the_alphabet_is_refused() -> None:
    body = orjson.dumps(["done", f"itm_{KEY.hex}"])
    old = blake2b(b"item?status,id:" + body, digest_size=12, key=CODEC.key, person=b"cursor").digest()
    text = urlsafe_b64encode(old + body).rstrip(b"=").decode()
    assert faults(CODEC.decode, items, BY_STATUS, text, ("after",)) == {("after",): "cursor"}


@pytest.mark.parametrize("case", TAMPERED)
def test_cursor_that_was_tampered_with_is_refused(case: str) -> None:
    assert faults(CODEC.decode, items, BY_TITLE, TAMPERED[case], ("after",)) == {("after",): "cursor"}
