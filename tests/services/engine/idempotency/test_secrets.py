"""To whom a kept answer is given, and that nobody else can read it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import orjson
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import select

from gateway.settings import Settings
from services.engine.gateway import Gateway
from services.engine.idempotency.models import StoredAnswer
from tests.support.accounts import Account, sign_in
from tests.support.apps import Running, client_from, running
from tests.support.faces import Face, GraphQLFace, RestFace
from tests.support.factories import make_key, unique
from tests.support.grace import grace_passed
from tests.support.keyed import code, is_replay, send, titles, told
from tests.support.state import unchanged


async def test_credentials_with_other_rights_get_nothing_of_the_answer(
    face: Face, client: httpx.AsyncClient, gateway: Gateway, ada: Account
) -> None:
    """Who may make keys with their own scopes only must not be told a key with more."""
    data = {"name": "Import", "scopes": ["items:write"]}
    first = await send(face, "create_api_key", ada, data, key="k")
    assert code(face, first) is None
    tokens = await sign_in(client, ada.username, ada.password, scope="api_keys:write")
    poor = Account(ada.id, ada.username, ada.password, tokens)
    async with unchanged(gateway):
        answer = await send(face, "create_api_key", poor, data, key="k")
        assert code(face, answer) == "idempotency_key_reused"
        none = Account(ada.id, ada.username, "", await sign_in(client, ada.username, ada.password, scope="items:read"))
        assert code(face, await send(face, "create_api_key", none, data, key="k")) == "insufficient_scope"
        assert code(face, await send(face, "create_api_key", None, data, key="k")) == "unauthenticated"
    assert b"hgw_" not in answer.content


async def test_signing_out_of_another_session_is_another_request(
    face: Face, client: httpx.AsyncClient, ada: Account
) -> None:
    assert code(face, await send(face, "logout", ada, key="k")) is None
    later = Account(ada.id, ada.username, ada.password, await sign_in(client, ada.username, ada.password))
    assert code(face, await send(face, "logout", later, key="k")) == "idempotency_key_reused"
    assert (await face.call("me", later)).problem is None


async def test_anonymous_sign_up_can_be_retried_from_its_network(
    face: Face, app: FastAPI, client: httpx.AsyncClient
) -> None:
    name = unique("user")
    data = {"email": f"{name}@example.com", "username": name, "password": "correct horse"}
    network = f"2001:db8:77:{len(face.name)}"
    async with client_from(app, f"{network}::1") as one, client_from(app, f"{network}::2") as same:
        first = await send(face, "create_user", None, data, key="k", client=one)
        assert told(await send(face, "create_user", None, data, key="k", client=same)) == told(first)
        async with client_from(app) as elsewhere:
            assert code(face, await send(face, "create_user", None, data, key="k", client=elsewhere)) == "conflict"
    assert (await sign_in(client, name, "correct horse"))["token_type"]


async def test_answer_to_a_sign_in_is_for_its_password_alone(face: Face, app: FastAPI, ada: Account) -> None:
    data = {"username": ada.username, "password": ada.password}
    async with client_from(app) as one:
        first = await send(face, "login", None, data, key="k", client=one)
        again = await send(face, "login", None, data, key="k", client=one)
        assert (code(face, first), told(again)) == (None, told(first))
        wrong = await send(face, "login", None, {**data, "password": "wrong horse"}, key="k", client=one)
        assert code(face, wrong) == "idempotency_key_reused"
        assert b"token" not in wrong.content.lower()


@pytest.fixture(scope="module")
async def strict(settings: Settings) -> AsyncIterator[Running]:
    """Another process, which lets few tries to sign in pass."""
    async with running(settings.model_copy(update={"LOGIN_ATTEMPTS_PER_ADDRESS": "4/minute"})) as found:
        yield found


async def test_tries_at_somebodys_sign_in_by_its_key_are_limited(face: Face, strict: Running, ada: Account) -> None:
    data = {"username": ada.username, "password": ada.password}
    async with client_from(strict.app) as one:

        async def attempt(password: str) -> str | None:
            tried = {**data, "password": password}
            return code(face, await send(face, "login", None, tried, key="k", client=one))

        codes = [await attempt(each) for each in (ada.password, "a", "b", "c", "d")]
    assert codes == [None, *["idempotency_key_reused"] * 3, "too_many_requests"]


async def test_refreshed_tokens_can_be_asked_for_again(face: Face, gateway: Gateway, ada: Account) -> None:
    data = {"refresh_token": ada.tokens["refresh_token"]}
    first = await send(face, "refresh_token", None, data, key=ada.id)
    assert (code(face, first), told(await send(face, "refresh_token", None, data, key=ada.id))) == (None, told(first))
    assert (await face.call("me", ada)).problem is None
    # Without the key it is a token used twice, which ends the session once its grace is over.
    await grace_passed(gateway, ada)
    assert code(face, await send(face, "refresh_token", None, data, key=None)) == "invalid_token"
    assert (await face.call("me", ada)).problem == "invalid_token"


async def test_nothing_of_an_answer_is_in_the_database(face: Face, gateway: Gateway, ada: Account) -> None:
    answer = await send(face, "create_api_key", ada, {"name": "Import", "scopes": ["items:read"]}, key="my-own-key")
    secret = (answer.json() if face.name == "rest" else answer.json()["data"]["createApiKey"]["issuedKey"])["secret"]
    async with gateway.database.reading() as session:
        rows = (await session.execute(select(StoredAnswer.__table__))).all()
    stored = orjson.dumps([[each.hex() if isinstance(each, bytes) else str(each) for each in row] for row in rows])
    raw = b"".join(each for row in rows for each in row if isinstance(each, bytes))
    for word in (secret, secret[4:12], "Import", "my-own-key", ada.id, "issuedKey"):
        assert word.encode() not in raw
        assert word.encode().hex().encode() not in stored


async def test_another_process_answers_again(face: Face, strict: Running, ada: Account) -> None:
    first = await send(face, "create_item", ada, {"title": "Wheel"}, key="k")
    again = await send(face, "create_item", ada, {"title": "Wheel"}, key="k", client=strict.client)
    assert (told(again), is_replay(again)) == (told(first), True)
    assert await titles(face, ada) == ["Wheel"]


async def test_after_the_secret_has_changed_nothing_is_done_twice(
    rest: RestFace, graphql: GraphQLFace, settings: Settings, ada: Account
) -> None:
    changed = settings.model_copy(update={"SECRET_KEY": SecretStr("another key of 32 bytes or some more")})
    async with running(changed) as other:
        for face in (rest, graphql):
            holder = await make_key(face, ada)
            assert code(face, await send(face, "create_item", holder, {"title": face.name}, key="k")) is None
            answer = await send(face, "create_item", holder, {"title": face.name}, key="k", client=other.client)
            assert code(face, answer) == "idempotency_key_reused"
    assert await titles(rest, ada) == ["graphql", "rest"]
