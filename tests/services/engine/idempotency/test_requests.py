"""Requests of several writes under one key: what fails, or is at the same time, who sends it, how long it counts."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import select

from gateway.settings import Settings
from services.engine.gateway import Gateway
from services.engine.idempotency.models import StoredAnswer
from services.identity.auth.passwords import Passwords
from tests.support.accounts import Account, sign_in
from tests.support.apps import Running, client_from, running
from tests.support.faces import GraphQLFace, RestFace
from tests.support.factories import key_of, make_item, make_key, unique
from tests.support.keyed import age, failed, is_replay, kept, post, titles
from tests.support.races import held_up, loaded
from tests.support.sockets import connected
from tests.support.state import unchanged

REUSED, CONFLICT = "idempotency_key_reused", "idempotency_conflict"


def create(name: str, more: str = "") -> str:
    """A field that makes an item of its own name."""
    return f'{name}: createItem(input: {{title: "{name}"}}{more}) {{ item {{ id }} }}'


A, B, C, D = (create(each) for each in "ABCD")


def asked(*fields: str) -> dict[str, Any]:
    """A request of these fields."""
    return {"query": f"mutation {{ {' '.join(fields)} }}"}


async def test_first_field_that_fails_is_made_by_a_retry_and_by_no_other_request(
    rest: RestFace, graphql: GraphQLFace, gateway: Gateway, ada: Account
) -> None:
    slug, before = unique("slug"), await kept(gateway)
    taken = await rest.ok("create_workspace", ada, {"name": "Engine", "slug": slug})
    made = f'W: createWorkspace(input: {{name: "Mill", slug: "{slug}"}}) {{ workspace {{ id }} }}'
    first = await post(graphql.client, asked(made, B), ada, "k")
    assert (failed(first), await kept(gateway)) == ([("W", "conflict")], before + 2)
    await rest.ok("delete_workspace", ada, id=taken["id"])
    async with unchanged(gateway):
        for fields in ([made], [B], [C], [made, C], [made, B, C], [B, made]):
            refused = await post(graphql.client, asked(*fields), ada, "k")
            assert failed(refused) == [(each[0], REUSED) for each in fields]
    second = await post(graphql.client, asked(made, B), ada, "k")
    assert (failed(second), is_replay(second)) == ([], False)
    assert second.json()["data"]["B"] == first.json()["data"]["B"]
    again = await post(graphql.client, asked(made, B), ada, "k")
    assert (again.content, is_replay(again), await kept(gateway)) == (second.content, True, before + 3)
    assert await titles(rest, ada) == ["B"]


async def test_key_of_a_request_that_did_nothing_is_free(graphql: GraphQLFace, gateway: Gateway, ada: Account) -> None:
    before = await kept(gateway)
    wrong = [each.replace('title: "', 'title: "", description: "') for each in (A, B)]
    assert failed(await post(graphql.client, asked(*wrong), ada, "k")) == [
        ("A", "validation_failed"), ("B", "validation_failed"),
    ]  # fmt: skip
    assert await kept(gateway) == before
    assert failed(await post(graphql.client, asked(C, D), ada, "k")) == []
    assert failed(await post(graphql.client, asked(A, B), ada, "k")) == [("A", REUSED), ("B", REUSED)]
    assert await titles(graphql, ada) == ["C", "D"]


async def test_field_with_its_own_key_does_not_care_about_the_rest_of_the_document(
    graphql: GraphQLFace, ada: Account
) -> None:
    own = create("O", ', idempotencyKey: "own"')
    first = await post(graphql.client, asked(A, own), ada, "k")
    for fields, header, refused in (
        ([own], None, []), ([own], "k", []), ([own], "new", []), ([B, own], "k", ["B"]), ([own, A], "k", ["A"]),
    ):  # fmt: skip
        answer = await post(graphql.client, asked(*fields), ada, header)
        assert failed(answer) == [(each, REUSED) for each in refused]
        assert answer.json()["data"]["O"] == first.json()["data"]["O"]
    # Under the header's key nothing was done with `new`, since the only field had its own.
    assert failed(await post(graphql.client, asked(A, B), ada, "new")) == []
    assert await titles(graphql, ada) == ["A", "A", "B", "O"]


async def test_key_of_a_field_that_is_the_headers_too_is_used_once(graphql: GraphQLFace, ada: Account) -> None:
    own = create("O", ', idempotencyKey: "k"')
    for fields, key, refused in (([own, A], "k", "A"), ([B, own.replace('"k"', '"l"')], "l", "O")):
        for _ in range(2):
            answer = await post(graphql.client, asked(*fields), ada, key)
            assert failed(answer) == [(refused, REUSED)]
    assert await titles(graphql, ada) == ["B", "O"]


async def test_other_request_is_refused_while_the_first_is_under_way(
    graphql: GraphQLFace, gateway: Gateway, ada: Account
) -> None:
    item = await make_item(graphql, ada)
    first = asked(f'U: updateItem(input: {{id: "{item["id"]}", title: "Axle"}}) {{ item {{ title }} }}', A)
    async with loaded(gateway, ada, "item", key_of(item["id"]), "update"):
        under_way = await held_up(gateway, post(graphql.client, first, ada, "k"))
        for fields in ([B], [B, C], [A]):
            refused = await post(graphql.client, asked(*fields), ada, "k")
            assert failed(refused) == [(each[0], CONFLICT) for each in fields]
            assert refused.headers["retry-after"] == "1"
        assert not under_way.done()
    assert failed(await under_way) == []
    assert failed(await post(graphql.client, asked(B, C), ada, "k")) == [("B", REUSED), ("C", REUSED)]
    assert await titles(graphql, ada) == ["A", "Axle"]


async def test_of_two_requests_at_once_with_one_key_one_is_made(graphql: GraphQLFace, ada: Account) -> None:
    for number in range(10):
        shapes = [asked(*fields) for fields in ([A, B], [C, D], [A], [B, A])]
        tries = [post(graphql.client, each, ada, f"k-{number}") for each in shapes * 3]
        answers = await asyncio.gather(*tries)
        assert {code for each in answers for _, code in failed(each)} <= {REUSED, CONFLICT}
        shown = [shape for shape in shapes if failed(await post(graphql.client, shape, ada, f"k-{number}")) == []]
        assert len(shown) == 1
    found = Counter(await titles(graphql, ada))
    # Each time, either all that one of them makes or all that another does.
    assert (found["C"], found["A"] + found["C"]) == (found["D"], 10)


async def test_request_that_lost_its_lock_to_another_writes_nothing(
    graphql: GraphQLFace, rest: RestFace, gateway: Gateway, ada: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    word = f'input: {{username: "{ada.username}", password: "{ada.password}"}}'
    field, key = f"login({word}) {{ tokenPair {{ scope }} }}", unique("key")
    inner, calls = list[httpx.Response](), list[Any]()
    before = len((await rest.ok("list_sessions", ada))["data"])
    original = Passwords.verify

    async def verify(self: Passwords, *arguments: Any) -> Any:
        """The operation has given its connection back, and the lock with it."""
        if not calls:
            calls.append(arguments)
            inner.append(await post(graphql.client, asked(f"S: {field}", f"T: {field}"), None, key))
        return await original(self, *arguments)

    monkeypatch.setattr(Passwords, "verify", verify)
    outer = await post(graphql.client, asked(f"P: {field}", f"Q: {field}"), None, key)
    assert (failed(inner[0]), failed(outer)) == ([], [("P", CONFLICT), ("Q", REUSED)])
    assert len((await rest.ok("list_sessions", ada))["data"]) == before + 2


async def test_key_counts_as_long_as_any_answer_under_it(
    rest: RestFace, graphql: GraphQLFace, gateway: Gateway, ada: Account
) -> None:
    slug = unique("slug")
    taken = await rest.ok("create_workspace", ada, {"name": "Engine", "slug": slug})
    made = f'W: createWorkspace(input: {{name: "Mill", slug: "{slug}"}}) {{ workspace {{ id }} }}'
    await post(graphql.client, asked(made, B), ada, "k")
    await rest.ok("delete_workspace", ada, id=taken["id"])
    await age(gateway, 23)
    assert failed(await post(graphql.client, asked(made, B), ada, "k")) == []
    await age(gateway, 2)
    assert failed(await post(graphql.client, asked(C), ada, "k")) == [("C", REUSED)]
    await age(gateway, 23)
    before = await kept(gateway)
    last = await post(graphql.client, asked(C, D), ada, "k")
    assert (failed(last), is_replay(last)) == ([], False)
    assert await kept(gateway) <= before + 2
    assert (await post(graphql.client, asked(C, D), ada, "k")).content == last.content
    assert await titles(rest, ada) == ["B", "C", "D"]


async def test_credentials_with_other_rights_get_nothing_of_the_answers(
    graphql: GraphQLFace, gateway: Gateway, ada: Account, eve: Account
) -> None:
    make = 'K: createApiKey(input: {name: "k", scopes: ["items:write"]}) { issuedKey { secret } }'
    first = await post(graphql.client, asked(A, make), ada, "k")
    assert failed(first) == []
    tokens = await sign_in(graphql.client, ada.username, ada.password, scope="api_keys:write items:write")
    async with unchanged(gateway):
        answer = await post(graphql.client, asked(A, make), Account(ada.id, ada.username, ada.password, tokens), "k")
    assert (failed(answer), answer.json()["data"]) == ([("A", REUSED), ("K", REUSED)], {"A": None, "K": None})
    theirs = await post(graphql.client, asked(A, B), eve, "k")
    assert (failed(theirs), is_replay(theirs)) == ([], False)


async def test_nothing_of_a_request_of_several_writes_is_in_the_database(
    graphql: GraphQLFace, gateway: Gateway, ada: Account
) -> None:
    make = 'K: createApiKey(input: {name: "Import", scopes: ["items:read"]}) { issuedKey { secret } }'
    before = await _stored(gateway)
    answer = await post(graphql.client, asked(A, make), ada, "my-own-key")
    rows = await _stored(gateway) - before
    assert sorted(len(sealed) > 0 for _, _, sealed in rows) == [False, True, True]
    raw = b"".join(each for row in rows for each in row)
    for word in (answer.json()["data"]["K"]["issuedKey"]["secret"], "Import", "my-own-key", ada.id, "createApiKey"):
        assert word.encode() not in raw


async def _stored(gateway: Gateway) -> set[tuple[bytes, bytes, bytes]]:
    async with gateway.database.reading() as session:
        found = await session.execute(select(StoredAnswer.id, StoredAnswer.fingerprint, StoredAnswer.answer))
        return {(id, fingerprint, answer) for id, fingerprint, answer in found}


@pytest.fixture(scope="module")
async def strict(settings: Settings) -> AsyncIterator[Running]:
    """Another process, with another secret, which lets few tries to sign in pass."""
    changed = {"LOGIN_ATTEMPTS_PER_ADDRESS": "4/minute", "SECRET_KEY": SecretStr("another key of 32 bytes or more")}
    async with running(settings.model_copy(update=changed)) as found:
        yield found


async def test_tries_at_somebodys_sign_ins_by_their_key_are_limited(strict: Running, ada: Account) -> None:
    async with client_from(strict.app) as one:

        async def attempt(password: str) -> list[str]:
            field = f'login(input: {{username: "{ada.username}", password: "{password}"}}) {{ tokenPair {{ scope }} }}'
            return [code for _, code in failed(await post(one, asked(f"a: {field}", f"b: {field}"), None, "k"))]

        found = [await attempt(each) for each in (ada.password, "a", "b")]
    assert found == [[], [REUSED] * 2, ["too_many_requests"] * 2]


async def test_after_the_secret_has_changed_nothing_is_done_twice(
    graphql: GraphQLFace, strict: Running, gateway: Gateway, ada: Account
) -> None:
    holder = await make_key(graphql, ada)
    assert failed(await post(graphql.client, asked(A, B), holder, "k")) == []
    async with unchanged(gateway):
        answer = await post(strict.client, asked(A, B), holder, "k")
    assert failed(answer) == [("A", REUSED), ("B", REUSED)]


async def test_header_of_a_websocket_is_none_of_its_operations(
    app: FastAPI, graphql: GraphQLFace, gateway: Gateway, ada: Account
) -> None:
    own = asked(create("O", ', idempotencyKey: "own"'), A)["query"]
    await post(graphql.client, asked(B, C), ada, "k")
    async with connected(app, {**ada.headers, "Idempotency-Key": "k"}) as socket:
        first, second = await socket.run(own), await socket.run(own)
    assert (first["data"]["O"], first["data"]["A"] == second["data"]["A"]) == (second["data"]["O"], False)
    assert await titles(graphql, ada) == ["A", "A", "B", "C", "O"]
