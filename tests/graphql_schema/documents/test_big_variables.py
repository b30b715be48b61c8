"""Big and deep values: refused as Problems, in answers that do not grow with what was sent."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import DocumentNode, GraphQLSchema, parse

from graphql_schema.documents import parsing as documents
from graphql_schema.documents.parsing import REMEMBERED, DocumentCache
from graphql_schema.schema.schema import build_schema
from graphql_schema.transport.http import parse_parameters
from services.catalogue import Problem
from services.catalogue.problems import BAD_REQUEST, MAX_ERRORS, UNAVAILABLE
from services.engine.gateway import Gateway
from services.queries.limits import DEFAULTS
from tests.support.accounts import Account
from tests.support.faces import CallResult, GraphQLFace
from tests.support.statements import statements

MAX_SIZE = 10_000
HUGE = b"1" + b"0" * 30

CREATE = b"mutation($input: CreateItemInput!) { createItem(input: $input) { item { id } } }"
LIST = b"query($filter: ItemFilter) { items(filter: $filter) { totalCount } }"
FIRST = b"query($first: Int) { items(first: $first) { totalCount } }"
NODES = b"query($ids: [ID!]!) { nodes(ids: $ids) { id } }"


def body(query: bytes, variables: bytes = b"{}") -> bytes:
    return b'{"query": "' + query.replace(b'"', b'\\"') + b'", "variables": ' + variables + b"}"


def deep(depth: int, before: bytes, after: bytes, inside: bytes = b"") -> bytes:
    return before * depth + inside + after * depth


KEYS = b'{"title": "Wheel", ' + b", ".join(b'"k%d": 1' % number for number in range(80_000)) + b"}"
LONG_KEYS = b'{"title": "Wheel", ' + b", ".join(b'"%s%d": 1' % (b"k" * 20_000, number) for number in range(40)) + b"}"
CROWDED = "bad_request too_complex validation_failed"
"""A crowd may be refused for what is wrong with it, or for being one."""

BAD: dict[str, tuple[bytes, str]] = {
    "80,000 unknown keys": (body(CREATE, b'{"input": ' + KEYS + b"}"), CROWDED),
    "80,000 unknown keys in a filter": (body(LIST, b'{"filter": ' + KEYS + b"}"), CROWDED),
    "long unknown keys": (body(CREATE, b'{"input": ' + LONG_KEYS + b"}"), "validation_failed"),
    "80,000 unknown variables and a missing one": (body(NODES, KEYS), CROWDED),
    "300 lists in lists": (body(NODES, b'{"ids": ' + deep(300, b"[", b"]") + b"}"), "bad_request"),
    "40 lists in lists": (body(NODES, b'{"ids": ' + deep(40, b"[", b"]", b"1") + b"}"), "validation_failed"),
    "300 filters in filters": (body(LIST, b'{"filter": ' + deep(300, b'{"not": ', b"}", b"{}") + b"}"), "bad_request"),
    "40 filters in filters": (
        body(LIST, b'{"filter": ' + deep(40, b'{"not": ', b"}", b"{}") + b"}"), "validation_failed"),
    "300 lists in an unused variable": (body(LIST, b'{"x": ' + deep(300, b"[", b"]") + b"}"), "bad_request"),
    "100,000 bad identifiers": (body(NODES, b'{"ids": [' + b", ".join([b'"i"'] * 100_000) + b"]}"), CROWDED),
    "100,000 identifiers of a wrong type": (
        body(NODES, b'{"ids": [' + b",".join([b"true"] * 100_000) + b"]}"), CROWDED),
    "15,000 bad identifiers": (body(NODES, b'{"ids": [' + b", ".join([b'"i"'] * 15_000) + b"]}"), CROWDED),
    "100,000 statuses of no kind": (
        body(LIST, b'{"filter": {"status": {"in": [' + b", ".join([b'"X"'] * 100_000) + b"]}}}"), CROWDED),
    "20,000 filters": (
        body(LIST, b'{"filter": {"or": [' + b", ".join([b"{}"] * 20_000) + b"]}}"), CROWDED),
    "great integer in a variable": (body(FIRST, b'{"first": ' + HUGE + b"}"), "validation_failed"),
    "great integer in an input": (
        body(CREATE, b'{"input": {"title": "Wheel", "priority": ' + HUGE + b"}}"), "validation_failed"),
    "great integer as an identifier": (body(NODES, b'{"ids": [' + HUGE + b"]}"), "validation_failed"),
    "great integer as a literal": (body(b"{ items(first: " + HUGE + b") { totalCount } }"), "validation_failed"),
    "great integer as a default": (
        body(b"query($first: Int = " + HUGE + b") { items(first: $first) { totalCount } }"), "validation_failed"),
    "great integer as a literal in an input": (
        body(b'mutation { createItem(input: {title: "W", priority: ' + HUGE + b"}) { item { id } } }"),
        "validation_failed"),
    "integer of 5,000 digits as a literal": (
        body(b"{ items(first: " + b"9" * 5_000 + b") { totalCount } }"), "validation_failed"),
    "great negative integer": (body(FIRST, b'{"first": -' + HUGE + b"}"), "validation_failed"),
    "great float": (body(FIRST, b'{"first": 1e300}'), "validation_failed"),
    "identifiers of a megabyte": (body(NODES, b'{"ids": ["itm_' + b"0" * 900_000 + b'"]}'), "validation_failed"),
}  # fmt: skip


async def answered(graphql: GraphQLFace, actor: Account, content: bytes) -> CallResult:
    """The one problem of an answer."""
    response = await graphql.post(content, actor)
    assert len(response.json()["errors"]) == 1
    assert response.json().get("data") in (None, {"items": None}, {"createItem": None}, {"nodes": None})
    answer = graphql.read(response)
    assert answer is not None
    return answer


@pytest.mark.parametrize(("content", "problem"), BAD.values(), ids=BAD)
async def test_big_value_is_refused_in_few_words(
    graphql: GraphQLFace, gateway: Gateway, ada: Account, content: bytes, problem: str
) -> None:
    assert len(content) < 1_048_576
    with statements(gateway) as sent:
        answer = await answered(graphql, ada, content)
    assert sent == []
    assert answer.problem in problem.split()
    assert 400 <= answer.status < 500
    assert answer.size < MAX_SIZE
    assert answer.members is not None
    assert len(answer.members.get("errors", ())) <= MAX_ERRORS == 20


SEVERAL = {
    "unknown keys": (
        body(
            CREATE, b'{"input": {"title": "Wheel", ' + b", ".join(b'"k%d": 1' % number for number in range(100)) + b"}}"
        ),
        "k{}",
    ),
    "identifiers": (body(NODES, b'{"ids": [' + b", ".join([b"true"] * 100) + b"]}"), "ids[{}]"),
}


@pytest.mark.parametrize(("content", "form"), SEVERAL.values(), ids=SEVERAL)
async def test_first_faults_are_named(graphql: GraphQLFace, ada: Account, content: bytes, form: str) -> None:
    answer = await answered(graphql, ada, content)
    assert answer.problem == "validation_failed"
    assert list(answer.errors or {}) == [form.format(number) for number in range(MAX_ERRORS)]


@pytest.mark.parametrize("signed_in", [True, False])
async def test_crowd_of_filters_is_refused_before_it_is_coerced(
    graphql: GraphQLFace, ada: Account, monkeypatch: pytest.MonkeyPatch, signed_in: bool
) -> None:
    """Making input objects of them takes seconds, in which nobody else is answered."""
    ran: list[object] = []

    async def noted(*arguments: object, **_: object) -> None:
        ran.append(arguments)
        raise Problem(UNAVAILABLE)

    monkeypatch.setattr("graphql_schema.execution.executor.execute", noted)
    content = body(LIST, b'{"filter": {"or": [' + b", ".join([b"{}"] * 50_000) + b"]}}")
    answer = graphql.read(await graphql.post(content, ada if signed_in else None))
    assert ran == []
    assert answer is not None
    assert 400 <= answer.status < 500


@pytest.fixture(scope="module")
def schema(gateway: Gateway) -> GraphQLSchema:
    return build_schema(gateway.catalogue)._schema


@pytest.fixture
def known(schema: GraphQLSchema) -> DocumentCache:
    """What is remembered so far: nothing."""
    return DocumentCache(schema, suggestions=False)


INVALID = {
    "syntax": "{ me { id }",
    "unknown field": "{ me { nope } }",
    "wrong literal": '{ items(first: "x") { totalCount } }',
    "great literal": "{ items(first: 1" + "0" * 30 + ") { totalCount } }",
    "too many tokens": "{ me { " + "id " * 2_100 + "} }",
}


@pytest.mark.parametrize("text", INVALID.values(), ids=INVALID)
def test_invalid_document_is_not_remembered(known: DocumentCache, text: str) -> None:
    for _ in range(2):
        found = known.prepare(text)
        assert found.structure or found.values
    assert (len(known._remembered), known._remembered.currsize) == (0, 0)


def test_valid_document_is_prepared_once(known: DocumentCache, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []

    def noted(text: str, **options: Any) -> DocumentNode:
        parsed.append(text)
        return parse(text, **options)

    monkeypatch.setattr(documents, "parse", noted)
    first = known.prepare("{ me { id } }")
    assert known.prepare("{ me { id } }") is first
    assert parsed == ["{ me { id } }"]


def test_remembered_documents_stay_within_their_size(known: DocumentCache) -> None:
    texts = [f"{{ me {{ id }} }} # {number:06} " + "x" * 20_000 for number in range(40)]
    for text in texts:
        assert known.prepare(text).structure == ()
        assert known._remembered.currsize == sum(map(len, known._remembered)) <= REMEMBERED
    assert list(known._remembered) == texts[-12:]


def test_document_beyond_the_size_is_prepared_and_not_remembered(known: DocumentCache) -> None:
    found = known.prepare("{ me { id } } #" + "x" * REMEMBERED)
    assert (found.structure, found.values) == ((), ())
    assert len(known._remembered) == 0


async def test_document_beyond_the_size_is_answered(graphql: GraphQLFace, ada: Account) -> None:
    assert await graphql.data("{ me { id } } #" + "x" * 300_000, actor=ada) == {"me": {"id": ada.id}}


def test_depth_is_looked_at_before_size() -> None:
    """What is deeper than JSON can be written is refused, not a failure."""
    deep: dict[str, Any] = {}
    for _ in range(2_000):
        deep = {"a": deep}
    limits = DEFAULTS.model_copy(update={"GRAPHQL_MAX_VARIABLES_BYTES": 100})
    with pytest.raises(Problem, match="nest at most") as caught:
        parse_parameters({"query": "{ me { id } }", "variables": deep}, 20_000, limits)
    assert caught.value.type is BAD_REQUEST
