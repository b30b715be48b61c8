"""Tries with one idempotency key at the same time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from services.engine.gateway import Gateway
from services.identity.auth.passwords import Passwords
from tests.support.accounts import Account
from tests.support.faces import Face
from tests.support.factories import key_of, make_item, unique
from tests.support.keyed import code, is_replay, retry_after, send, titles, told
from tests.support.races import held_up, loaded
from tests.support.state import unchanged


async def test_second_try_is_refused_while_the_first_is_under_way(face: Face, gateway: Gateway, ada: Account) -> None:
    item = await make_item(face, ada)
    data = {"title": "Axle"}
    async with loaded(gateway, ada, "item", key_of(item["id"]), "update"):
        first = await held_up(gateway, send(face, "update_item", ada, data, id=item["id"], key="k"))
        second = await send(face, "update_item", ada, data, id=item["id"], key="k")
        assert (code(face, second), retry_after(face, second)) == ("idempotency_conflict", 1)
        assert not first.done()
    answer = await first
    assert (code(face, answer), (await face.ok("get_item", ada, id=item["id"]))["version"]) == (None, 2)
    assert told(await send(face, "update_item", ada, data, id=item["id"], key="k")) == told(answer)
    assert (await face.ok("get_item", ada, id=item["id"]))["version"] == 2


async def test_hundred_tries_at_once_are_one_write(face: Face, gateway: Gateway, ada: Account) -> None:
    tries = [send(face, "create_item", ada, {"title": "Wheel"}, key="k") for _ in range(100)]
    answers = await asyncio.gather(*tries)
    counted = Counter(code(face, each) for each in answers)
    assert counted.keys() <= {None, "idempotency_conflict"}
    given = [each for each in answers if code(face, each) is None]
    assert len({each.content for each in given}) == 1
    assert [is_replay(each) for each in given].count(False) == 1
    assert await titles(face, ada) == ["Wheel"]


async def test_what_is_committed_between_two_looks_is_seen(face: Face, gateway: Gateway, ada: Account) -> None:
    """Waves of a few tries, so that one often asks for the lock in the moment in which another commits."""
    for number in range(8):
        tries = [send(face, "create_item", ada, {"title": f"{number}"}, key=f"k-{number}") for _ in range(4)]
        codes = {code(face, each) for each in await asyncio.gather(*tries)}
        assert codes <= {None, "idempotency_conflict"}
    assert len(await titles(face, ada)) == 8


def within_first(monkeypatch: pytest.MonkeyPatch, then: Callable[[], Awaitable[Any]]) -> None:
    """Let `then` happen while the first password is verified, for which its operation has given up its lock."""
    original, calls = Passwords.verify, []

    async def verify(self: Passwords, *arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 1:
            await then()
        return await original(self, *arguments)

    monkeypatch.setattr(Passwords, "verify", verify)


async def test_sign_in_that_lost_its_lock_is_not_made_twice(
    face: Face, gateway: Gateway, ada: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, key = {"username": ada.username, "password": ada.password}, unique("key")
    before, inner = len((await face.ok("list_sessions", ada))["data"]), []

    async def second_try() -> None:
        inner.append(await send(face, "login", None, data, key=key))

    within_first(monkeypatch, second_try)
    outer = await send(face, "login", None, data, key=key)
    assert (code(face, inner[0]), code(face, outer), retry_after(face, outer)) == (None, "idempotency_conflict", 1)
    assert told(await send(face, "login", None, data, key=key)) == told(inner[0])
    assert len((await face.ok("list_sessions", ada))["data"]) == before + 1


async def test_failure_that_is_the_other_trys_success_is_its_answer(
    face: Face, ada: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, inner = {"current_password": ada.password, "new_password": "battery staple"}, []

    async def second_try() -> None:
        inner.append(await send(face, "change_password", ada, data, key="k"))

    within_first(monkeypatch, second_try)
    outer = await send(face, "change_password", ada, data, key="k")
    assert (code(face, inner[0]), is_replay(inner[0]), is_replay(outer)) == (None, False, True)
    assert told(outer) == told(inner[0])


async def test_failure_after_the_lock_was_lost_is_told_and_can_be_tried_again(
    face: Face, gateway: Gateway, ada: Account
) -> None:
    wrong = {"current_password": "wrong horse", "new_password": "battery staple"}
    async with unchanged(gateway):
        answer = await send(face, "change_password", ada, wrong, key="k")
        assert code(face, answer) == "validation_failed"
        assert code(face, await send(face, "login", None, {"username": "x", "password": "y"}, key=ada.id)) == (
            "invalid_credentials"
        )
    right = {**wrong, "current_password": ada.password}
    assert code(face, await send(face, "change_password", ada, right, key="k")) is None
