"""A name that comes twice in an object is found wherever it is, and nothing else is taken for one."""

from __future__ import annotations

import pytest

from graphql_schema.transport.transport_ws import INVALID, CloseError, parse_message
from rest.documents import variables_of
from services.catalogue.json_input import MOST_STEPS, read_json, refuse_twice
from services.catalogue.problems import MAX_STEP, Problem
from services.documents.publishing import Parameter, ParameterKind
from services.queries.limits import DEFAULTS

TWICE: dict[bytes, tuple[str | int, ...]] = {
    b'{"a": 1, "a": 2}': ("a",),
    b'{"a": 1, "a": 1}': ("a",),
    b'{"a": 1, "\\u0061": 2}': ("a",),
    b'{"": 1, "": 2}': ("",),
    b'{"a\\n\\"": 1, "a\\u000a\\"": 2}': ('a\n"',),
    '{"\\ud83d\\ude00": 1, "😀": 2}'.encode(): ("😀",),
    b'{"a": [1, {"b": 1}, {"c": {"d": 1, "e": 2, "d": 3}}]}': ("a", 2, "c", "d"),
    b'[[{"a": {}, "a": {}}]]': (0, 0, "a"),
    b'{"a": {"x": 1, "x": 1}, "b": {"y": 1, "y": 1}}': ("a", "x"),
    b'{"a":' * 150 + b'{"b": 1, "b": 2}' + b"}" * 150: ("b",),
    b'{"a":' * 400 + b'{"b": 1, "b": 2}' + b"}" * 400: ("b",),
    b'{"a": ' + b"1" * 300 + b', "b": 1, "b": 2}': ("b",),
    b'{"%b": 1, "%b": 2}' % (b"n" * 5_000, b"n" * 5_000): ("n" * MAX_STEP,),
}


@pytest.mark.parametrize(("text", "path"), TWICE.items())
def test_name_that_comes_twice_is_told(text: bytes, path: tuple[str | int, ...]) -> None:
    for check in (read_json, refuse_twice):
        with pytest.raises(Problem) as caught:
            check(text)
        assert caught.value.type.status == 400
        assert caught.value.detail == f"The body gives the name `{path[-1]}` twice in one object."
        assert [(each.path, each.code) for each in caught.value.errors] == [(path, "conflict")]
        assert len(caught.value.errors[0].path) <= MOST_STEPS


ONCE = [
    b'{"a": {"a": {"a": 1}}, "A": 1, "a ": 1}',
    b'[{"a": 1}, {"a": 1}]',
    b'{"a": "\\"a\\": 1, \\"a\\": 2"}',
    b'{"\\u00e9": 1, "e\\u0301": 2}',
    b'{"a":' * 400 + b"1" + b"}" * 400,
]


@pytest.mark.parametrize("text", ONCE)
def test_names_that_come_once_are_taken(text: bytes) -> None:
    read_json(text)
    refuse_twice(text)


def test_message_of_a_socket_has_each_name_once() -> None:
    with pytest.raises(CloseError) as caught:
        parse_message('{"type": "ping", "type": "subscribe"}', 1_000, DEFAULTS)
    assert (caught.value.code, caught.value.reason) == (
        INVALID, "Invalid message received: it gives the name `type` twice in one object."
    )  # fmt: skip


def test_parameter_of_a_published_document_has_each_name_once() -> None:
    where = Parameter("where", ParameterKind.JSON, "ItemFilter", {}, many=True)
    assert variables_of([where], b'where={"a":1}&where={"a":2}') == {"where": [{"a": 1}, {"a": 2}]}
    with pytest.raises(Problem) as caught:
        variables_of([where], b'where={"a":1,"a":2}')
    assert (caught.value.type.status, caught.value.errors[0].path) == (400, ("where", "a"))
