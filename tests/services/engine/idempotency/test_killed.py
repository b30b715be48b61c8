"""Writes with idempotency keys survive the death of the process that has made them, and are made once.

The setting KILLS of the environment says how often it is killed on each face: 50 for the whole proof.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from sqlalchemy import func, select

from gateway.settings import Settings
from services.engine.gateway import Gateway
from services.identity.keys.models import ApiKey
from services.sample.items.models import Item
from services.sample.labels.models import Label
from tests.support.accounts import Account, KeyHolder, sign_up
from tests.support.faces import Face, GraphQLFace, RestFace
from tests.support.factories import unique
from tests.support.keyed import code, failed, is_replay, post, send, told
from tests.support.programs import started
from tests.support.server import environment, free_port

pytestmark = pytest.mark.proof

KILLS: Final = int(os.environ.get("KILLS", "3"))
POINTS: Final = ("commit", "answer")
"""After its transaction is committed, and before anything of the answer is sent."""
WRITES: Final[tuple[tuple[str, dict[str, Any], str, Any], ...]] = (
    ("create_item", {}, "title", Item.__table__.c.title),
    ("create_label", {}, "name", Label.__table__.c.name),
    ("create_api_key", {"scopes": ["items:read"]}, "name", ApiKey.__table__.c.name),
)


@pytest.fixture(scope="module")
async def mortal(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a gateway that dies when it is told to."""
    port, log = free_port(), Path(tmp_path_factory.mktemp("mortal")) / "log"
    url = f"http://127.0.0.1:{port}"
    values = {name: value for name, value in environment(settings).items() if name in Settings.model_fields}
    command = ("python", "-m", "tests.support.mortal", str(port))
    with started(*command, env=values, log=log, ready=f"{url}/health/ready"):
        # A connection to a process that is gone is no use to the next request.
        limits = httpx.Limits(max_keepalive_connections=0)
        async with httpx.AsyncClient(base_url=url, limits=limits, timeout=30) as client:
            yield client


@pytest.fixture(scope="module")
async def caller(mortal: httpx.AsyncClient) -> Account:
    """Somebody who calls it."""
    return await sign_up(mortal)


@pytest.fixture(params=[RestFace, GraphQLFace], ids=["rest", "graphql"])
def face(request: pytest.FixtureRequest, mortal: httpx.AsyncClient, gateway: Gateway) -> Face:
    """Each of its faces."""
    found: Face = request.param(mortal, gateway.catalogue)
    return found


async def killed(face: Face, point: str, name: str, actor: Account, data: dict[str, Any], key: str) -> None:
    """Send a write to a process that does not live to answer."""
    face.client.headers["X-Die"] = point
    try:
        with pytest.raises(httpx.TransportError):
            await send(face, name, actor, data, key=key)
    finally:
        del face.client.headers["X-Die"]


async def rows(gateway: Gateway, column: Any, value: str) -> int:
    """How many rows have this value."""
    async with gateway.database.reading() as session:
        return int((await session.execute(select(func.count()).where(column == value))).scalar_one())


async def test_killed_between_commit_and_answer_is_one_write_and_its_answer(
    face: Face, gateway: Gateway, caller: Account
) -> None:
    for number in range(KILLS):
        name, more, field, column = WRITES[number % len(WRITES)]
        value, key = unique("made"), unique("key")
        data = {**more, field: value}
        await killed(face, POINTS[number % 2], name, caller, data, key)
        assert await rows(gateway, column, value) == 1
        answer = await send(face, name, caller, data, key=key)
        assert (code(face, answer), is_replay(answer)) == (None, True)
        assert told(await send(face, name, caller, data, key=key)) == told(answer)
        assert await rows(gateway, column, value) == 1
        await check(face, name, answer, caller, value)


async def check(face: Face, name: str, answer: httpx.Response, caller: Account, value: str) -> None:
    """What the answer tells of what was made; a secret in it is good."""
    if name != "create_api_key":
        assert value in answer.text
        return
    issued = answer.json() if face.name == "rest" else answer.json()["data"]["createApiKey"]["issuedKey"]
    holder = KeyHolder(caller.id, "", "", {}, issued["id"], issued["secret"])
    assert (await face.call("list_items", holder, limit=1)).problem is None


async def test_killed_between_two_writes_of_a_document_makes_the_second_when_it_is_sent_again(
    mortal: httpx.AsyncClient, gateway: Gateway, caller: Account
) -> None:
    first, second, third, key = unique("made"), unique("made"), unique("made"), unique("key")

    def asked(*made: str) -> dict[str, str]:
        fields = (f'f{n}: createItem(input: {{title: "{each}"}}) {{ item {{ id }} }}' for n, each in enumerate(made))
        return {"query": f"mutation {{ {' '.join(fields)} }}"}

    async def made() -> list[int]:
        return [await rows(gateway, Item.__table__.c.title, each) for each in (first, second, third)]

    headers = {**caller.headers, "Idempotency-Key": key, "X-Die": "commit"}
    with pytest.raises(httpx.TransportError):
        await mortal.post("/graphql", json=asked(first, second), headers=headers)
    assert await made() == [1, 0, 0]
    for other in ((first,), (second,), (first, third), (third, second)):
        answer = await post(mortal, asked(*other), caller, key)
        assert failed(answer) == [(f"f{n}", "idempotency_key_reused") for n in range(len(other))]
    assert await made() == [1, 0, 0]
    answer = await post(mortal, asked(first, second), caller, key)
    assert (failed(answer), is_replay(answer), await made()) == ([], False, [1, 1, 0])
    again = await post(mortal, asked(first, second), caller, key)
    assert (again.content, is_replay(again), await made()) == (answer.content, True, [1, 1, 0])


async def test_killed_before_the_commit_is_no_write_until_it_is_sent_again(
    face: Face, gateway: Gateway, caller: Account
) -> None:
    title, key = unique("made"), unique("key")
    await killed(face, "before", "create_item", caller, {"title": title}, key)
    assert await rows(gateway, Item.__table__.c.title, title) == 0
    async with asyncio.timeout(30):
        while True:
            answer = await send(face, "create_item", caller, {"title": title}, key=key)
            # PostgreSQL may not have noticed yet that the process is gone.
            if code(face, answer) != "idempotency_conflict":
                break
            await asyncio.sleep(0.01)
    assert (code(face, answer), is_replay(answer)) == (None, False)
    assert await rows(gateway, Item.__table__.c.title, title) == 1
