"""Requests made to cost much: each is refused by name, for less than 50 ms of CPU and 20 MB.

CPU is counted, not time, and the least of some tries counts, each begun deeper (tests/support/frames.py). Where the
machine is busy, or slower than the one that the bound was set on, a known piece of work says by how much.
"""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Callable, Coroutine
from typing import Any, Final
from urllib.parse import quote

import orjson
import pytest
from graphql import parse

from graphql_schema.documents.screening import Screen, introspection_sizes
from graphql_schema.schema.schema import build_schema
from services.engine.gateway import Gateway
from services.queries.limits import DEFAULTS
from tests.support.accounts import Account
from tests.support.asgi import Reply, graphql, request
from tests.support.frames import below

CPU_SECONDS: Final = 0.050
BYTES: Final = 20_000_000
TRIES: Final = 10
FRAMES: Final = 7
"""By how many one try begins deeper than the one before."""
KNOWN: Final = "{ me { " + "id " * 1_900 + "} }"
KNOWN_SECONDS: Final = 0.013
"""What parsing it took where the bound was set."""


def spreads(name: str, levels: int, body: str) -> str:
    return " ".join(
        f"fragment {name}{n} on Item {{ {body.replace('NEXT', f'...{name}{n + 1}')} }}" for n in range(levels)
    )


def tree(levels: int) -> str:
    return f"{{ parent {tree(levels - 1)} parent {tree(levels - 1)} }}" if levels else "{ id }"


DEEP: Final = "{ items { nodes " + "{ parent " * 60 + "{ id }" + " }" * 60 + " } }"
TWICE: Final = spreads("F", 22, "NEXT NEXT") + " fragment F22 on Item { children(first: 1) { nodes { id } } }"
TWICE_ALIASED: Final = spreads("F", 40, "x: parent { NEXT } y: parent { NEXT }") + " fragment F40 on Item { id }"
ALL: Final = " ".join(
    f"fragment F{n} on Item {{ {' '.join(f'...F{m}' for m in range(n + 1, 40))} id }}" for n in range(40)
)
CIRCLE: Final = " ".join(f"fragment F{n} on Item {{ ...F{(n + 1) % 100} }}" for n in range(100))
TOLD: Final = "__schema { types { fields { args { type { name } } type { name } } } }"

# Document, problem, and words of its detail.
DOCUMENTS: dict[str, tuple[str, str, str]] = {
    "characters": ('{ items(search: "' + "x" * 1_000_000 + '") { totalCount } }', "too_complex", "120,000 characters"),
    "characters of a block string": (
        '{ items(search: """' + "\\n x" * 250_000 + '""") { totalCount } }', "too_complex", "120,000 characters"),
    "characters of nothing": ("{ me { id } }" + "\n" * 500_000, "too_complex", "120,000 characters"),
    "characters of a name": ("{ me { " + "x" * 1_000_000 + " } }", "too_complex", "120,000 characters"),
    "comments": ("{ me { id } }" + "#\n" * 500_000, "too_complex", "120,000 characters"),
    "quotes in comments": ("{ me { id } }" + '#"""\n' * 19_000 + "x" * 130_000, "too_complex", "120,000 characters"),
    "strings without an end": (
        "{ me { id } } " + '"""' + '\\"""' * 120_000, "too_complex", "120,000 characters"),
    "tokens": ("{ me { " + "id " * 30_000 + "} }", "invalid_document", "more than 2000 tokens"),
    "depth": (DEEP, "too_complex", "at most 30 deep"),
    "depth through fragments": (
        "{ items { nodes { ...F0 } } } " + spreads("F", 40, "parent { NEXT }") + " fragment F40 on Item { id }",
        "too_complex", "at most 30 deep"),
    "values in values": (
        "{ items(filter: " + "{not: " * 400 + "{}" + "}" * 400 + ") { totalCount } }",
        "invalid_document", "nested too deeply"),
    "aliases": ("{ me { " + " ".join(f"a{n}: id" for n in range(600)) + " } }", "too_complex", "200 aliases"),
    "queries": (
        "{ " + " ".join(f"a{n}: me {{ id }}" for n in range(180)) + " }", "too_complex", "50 fields at the top"),
    "mutations": (
        "mutation { " + " ".join(f"a{n}: logout {{ ok }}" for n in range(180)) + " }",
        "too_complex", "20 fields at the top"),
    "directives": (
        "{ me { " + " ".join("id @skip(if: true)" for n in range(200)) + " } }", "too_complex", "100 directives"),
    "directives of one field": (
        "{ me { id " + "@skip(if: false) " * 50 + "} }", "too_complex", "8 directives"),
    "directives that nobody knows": ("{ me { id " + "@a " * 900 + "} }", "too_complex", "directives"),
    "fragments": (
        "{ items { nodes { ...F0 } } } " + spreads("F", 240, "NEXT") + " fragment F240 on Item { id }",
        "too_complex", "100 fragments"),
    "fragments in a circle": ("{ items { nodes { ...F0 } } } " + CIRCLE, "invalid_document", "within itself"),
    "fragments that spread each other twice under other names": (
        "{ items { nodes { ...F0 } } } " + TWICE_ALIASED, "too_complex", "at most 30 deep"),
    "fragments that spread all others": (
        "{ items { nodes { " + " ".join(f"...F{n}" for n in range(40)) + " } } } " + ALL,
        "too_complex", "25,000 comparisons"),
    "operations": (" ".join(f"query q{n} {{ me {{ id }} }}" for n in range(220)), "too_complex", "50 operations"),
    "one field again and again": (KNOWN, "too_complex", "25,000 comparisons"),
    "one field with a selection again and again": (
        "{ items { nodes { " + "parent { id } " * 380 + "} } }", "too_complex", "25,000 comparisons"),
    "one field with arguments again and again": (
        "{ items { nodes { " + "children(first: 1) { nodes { id } } " * 140 + "} } }",
        "too_complex", "25,000 comparisons"),
    "one field twice on every level": ("{ items { nodes " + tree(7) + " } }", "too_complex", "25,000 comparisons"),
    "fields that are not there": (
        "{ me { " + " ".join(f"x{n}" for n in range(1_900)) + " } }", "invalid_document", "Cannot query field"),
    "variables that are not used": (
        "query(" + " ".join(f"$v{n}: Int" for n in range(400)) + ") { me { id } }", "invalid_document", "never used"),
    "introspection": (
        "{ " + " ".join(f"a{n}: {TOLD}" for n in range(40)) + " }", "too_complex", "2 full introspections"),
    "rows": (
        "{ items(first: 100) { nodes { children(first: 100) { nodes { labels(first: 100) { nodes { id } } } } } } }",
        "too_complex", "more than 20,000 rows"),
}  # fmt: skip

LIST: Final = b"query($filter: ItemFilter) { items(filter: $filter) { totalCount } }"
NODES: Final = b"query($ids: [ID!]!) { nodes(ids: $ids) { id } }"


def body(query: bytes, variables: bytes) -> bytes:
    return b'{"query": "' + query + b'", "variables": ' + variables + b"}"


# Body, status, problem, and words of its detail.
BODIES: dict[str, tuple[bytes, int, str, str]] = {
    "bytes": (b" " * 1_100_000, 413, "payload_too_large", "1048576 bytes"),
    "lists in lists": (body(LIST, b"[" * 1_000_000), 400, "bad_request", "30,000 values"),
    "empty objects": (body(LIST, b'{"x": [' + b"{}," * 340_000 + b"1]}"), 400, "bad_request", "30,000 values"),
    "identifiers": (body(NODES, b'{"ids": [' + b'"i",' * 200_000 + b'"i"]}'), 400, "bad_request", "30,000 values"),
    "keys": (
        body(LIST, b"{" + b",".join(b'"k%d":1' % n for n in range(90_000)) + b"}"),
        400, "bad_request", "30,000 values"),
    "depth of variables": (
        body(LIST, b'{"filter": ' + b'{"not":' * 300 + b"{}" + b"}" * 300 + b"}"), 400, "bad_request", "50 deep"),
    "objects": (body(LIST, b'{"filter": {"or": [' + b"{}," * 14_000 + b"{}]}}"), 200, "validation_failed", ""),
    "nodes": (body(NODES, b'{"ids": [' + b'"itm_1",' * 200 + b'"i"]}'), 200, "validation_failed", ""),
    "conditions": (
        body(LIST, b'{"filter": {"or": [' + b",".join([b'{"priority": {"gte": 1, "lte": 2, "ne": 5}}'] * 40) + b"]}}"),
        200, "validation_failed", ""),
}  # fmt: skip


def nested(levels: int) -> bytes:
    return quote('{"not":' * levels + "{}" + "}" * levels).encode()


QUERIES: dict[str, tuple[bytes, int, str]] = {
    "bytes": (b"title=" + b"x" * 1_000_000, 414, "uri_too_long"),
    "parameters": (b"&".join(b"a%d=1" % n for n in range(8_000)), 422, "too_complex"),
    "parameters without a name": (b"&" * 60_000, 422, "too_complex"),
    "relations": (b"include=" + b",".join([b"labels"] * 9_000), 422, "validation_failed"),
    "relations of relations": (b"include=" + b".".join([b"parent"] * 9_000), 422, "validation_failed"),
    "orders": (b"sort=" + b",".join([b"title"] * 10_000), 422, "validation_failed"),
    "values": (b"status[in]=" + b",".join([b"open"] * 12_000), 422, "validation_failed"),
    "depth of a filter": (b"filter=" + nested(700), 422, "validation_failed"),
    "conditions": (
        b"filter=" + quote('{"or":[' + ",".join(['{"priority":1}'] * 1_400) + "]}", safe='{}[]:,"').encode(),
        422, "validation_failed"),
    "page": (b"limit=101", 422, "validation_failed"),
    "rows passed over": (b"skip=10001", 422, "validation_failed"),
    "rows": (b"limit=100&include=children.children.children", 422, "too_complex"),
}  # fmt: skip


def slowness() -> float:
    """How much slower this machine is, at the moment, than the one that the bound was set on; 1 at least."""
    return max(1.0, min(spent_parsing() for _ in range(5)) / KNOWN_SECONDS)


def spent_parsing() -> float:
    started = time.thread_time()
    parse(KNOWN)
    return time.thread_time() - started


async def refused(send: Callable[[], Coroutine[Any, Any, Reply]]) -> Reply:
    """The answer, when it has cost what it may."""
    spent: list[float] = []
    # What the collector takes depends on what else there is in the process: here, all that the tests have left.
    gc.disable()
    try:
        while len(spent) < TRIES and min(spent, default=1) >= CPU_SECONDS:
            started = time.thread_time()
            await below(send(), FRAMES * len(spent))
            spent.append(time.thread_time() - started)
        assert min(spent) < CPU_SECONDS or min(spent) < CPU_SECONDS * slowness(), spent
    finally:
        gc.enable()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        reply = await send()
        assert tracemalloc.get_traced_memory()[1] - before < BYTES
    finally:
        tracemalloc.stop()
    return reply


@pytest.mark.parametrize(("document", "code", "words"), DOCUMENTS.values(), ids=DOCUMENTS)
async def test_document_made_to_cost_much_is_refused_for_little(
    app: Any, ada: Account, document: str, code: str, words: str
) -> None:
    headers, content = {"Content-Type": "application/json", **ada.headers}, orjson.dumps({"query": document})
    reply = await refused(lambda: request(app, "POST", "/graphql", headers=headers, content=content))
    problem = reply.json()["errors"][0]["extensions"]
    assert (problem["code"], "data" in reply.json()) == (code, False)
    assert words in problem["detail"]
    assert len(reply.content) < 5_000


@pytest.mark.parametrize(("content", "status", "code", "words"), BODIES.values(), ids=BODIES)
async def test_body_made_to_cost_much_is_refused_for_little(
    app: Any, ada: Account, content: bytes, status: int, code: str, words: str
) -> None:
    headers = {"Content-Type": "application/json", "Content-Length": str(len(content)), **ada.headers}
    reply = await refused(lambda: request(app, "POST", "/graphql", headers=headers, content=content))
    problem = reply.json()["errors"][0]["extensions"]
    assert (reply.status, problem["code"]) == (status, code)
    assert words in problem["detail"]


@pytest.mark.parametrize("content", [BODIES[each][0] for each in ("lists in lists", "empty objects", "keys")])
async def test_same_bodies_are_refused_on_rest(app: Any, ada: Account, content: bytes) -> None:
    headers = {"Content-Type": "application/json", **ada.headers}
    reply = await refused(lambda: request(app, "POST", "/api/v1/items", headers=headers, content=content))
    assert (reply.status, reply.json()["code"]) == (400, "bad_request")


UNKNOWN: Final = {f"k{n}": 1 for n in range(29_000)}
BATCHES: dict[str, list[Any]] = {
    "more than there may be": [{"delete": {}}] * 9_900,
    "all of them empty": [{}] * 500,
    "each with what is unknown": [{"create": dict.fromkeys([f"k{n}" for n in range(55)], 1)}] * 500,
    "one with much that is unknown": [{"create": UNKNOWN}],
    "one with verbs that are unknown": [UNKNOWN],
}


@pytest.mark.parametrize("face", ["rest", "graphql"])
@pytest.mark.parametrize("entries", BATCHES.values(), ids=BATCHES)
async def test_batch_made_to_cost_much_is_refused_for_little(
    app: Any, ada: Account, face: str, entries: list[Any]
) -> None:
    path = "/api/v1/items/batch"
    body: dict[str, Any] = {"operations": entries}
    if face == "graphql":
        query = "mutation($input: BatchItemsInput!) { batchItems(input: $input) { results { status } } }"
        path, body = "/graphql", {"query": query, "variables": {"input": body}}
    headers, content = {"Content-Type": "application/json", **ada.headers}, orjson.dumps(body)
    reply = await refused(lambda: request(app, "POST", path, headers=headers, content=content))
    problem = reply.json() if face == "rest" else reply.json()["errors"][0]["extensions"]
    assert (problem["code"], problem["status"]) == ("validation_failed", 422)
    assert len(reply.content) < 5_000


@pytest.mark.parametrize(("query", "status", "code"), QUERIES.values(), ids=QUERIES)
async def test_query_string_made_to_cost_much_is_refused_for_little(
    app: Any, ada: Account, query: bytes, status: int, code: str
) -> None:
    reply = await refused(lambda: request(app, "GET", "/api/v1/items", query=query, headers=ada.headers))
    assert (reply.status, reply.json()["code"]) == (status, code)


@pytest.mark.parametrize("path", ["/graphql", "/", "/api/v1/items", "/docs"])
async def test_query_string_is_refused_before_any_framework_takes_it_apart(app: Any, path: str) -> None:
    query = b"&".join(b"a%d=1" % n for n in range(100_000))
    reply = await refused(lambda: request(app, "GET", path, query=query, headers={}))
    problem = reply.json() if path != "/graphql" else reply.json()["errors"][0]["extensions"]
    assert (reply.status, problem["code"]) == (414, "uri_too_long")


def test_each_fragment_is_walked_once_however_often_it_is_spread(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    walked: list[object] = []
    original = Screen._selections

    def counted(self: Screen, *arguments: Any) -> None:
        walked.append(arguments)
        original(self, *arguments)

    monkeypatch.setattr(Screen, "_selections", counted)
    sizes = introspection_sizes(build_schema(gateway.catalogue)._schema)
    walked.clear()
    Screen(DEFAULTS, sizes).check(parse("{ items { nodes { ...F0 } } } " + TWICE))
    assert len(walked) == 3 + 22 + 3  # pairs of braces in the document


async def test_comments_do_not_count(app: Any, ada: Account) -> None:
    long = "# " + "x" * 100_000 + "\n"
    text = f'{long}{{ # "not a string\n me {{ id }}\n {long} items(search: "# no comment") {{ totalCount }} }} {long}'
    reply = await graphql(app, {"query": text[:-1]}, ada.headers)
    assert reply.json() == {"data": {"me": {"id": ada.id}, "items": {"totalCount": 0}}}
