"""The refresh token before the present one: answered for some seconds, and after that, as any older one, the session's
end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select, update
from structlog.testing import capture_logs

from gateway.settings import Settings
from services.engine.gateway import Gateway
from services.identity.auth.models import Session
from services.identity.auth.tokens import Tokens
from services.identity.users.models import User
from tests.support.accounts import Account, sign_in, sign_up
from tests.support.apps import FACES, running
from tests.support.audit import event, recorded
from tests.support.faces import CallResult, Face, GraphQLFace, RestFace
from tests.support.grace import grace_passed
from tests.support.races import held_up


async def use(face: Face, tokens: dict[str, Any]) -> CallResult:
    return await face.call("refresh_token", None, {"refresh_token": tokens["refresh_token"]})


async def refresh(face: Face, tokens: dict[str, Any]) -> dict[str, Any]:
    answer = await use(face, tokens)
    assert answer.problem is None, answer.members
    found: dict[str, Any] = answer.data
    return found


async def is_over(face: Face, account: Account, *tokens: dict[str, Any]) -> None:
    """Nothing of these tokens is good for anything."""
    for each in tokens:
        assert (await face.call("me", replace(account, tokens=each))).problem == "invalid_token"
        answer = await use(face, each)
        assert (answer.problem, answer.status) == ("invalid_token", 401)


def generation(gateway: Gateway, tokens: dict[str, Any]) -> int:
    return gateway.part(Tokens).verify(tokens["refresh_token"], "refresh").generation


async def test_predecessor_gets_its_successor_again(face: Face, gateway: Gateway, ada: Account) -> None:
    first = await refresh(face, ada.tokens)
    with capture_logs() as logs:
        again = await refresh(face, ada.tokens)
    assert [generation(gateway, each) for each in (ada.tokens, first, again)] == [0, 1, 1]
    assert again["scope"] == first["scope"] == ada.tokens["scope"]
    assert [each["event"] for each in logs if "refresh" in each["event"]] == ["refresh_token_answered_again"]
    assert ada.tokens["refresh_token"] not in str(logs)
    for tokens in (first, again):
        assert (await face.ok("me", replace(ada, tokens=tokens)))["id"] == ada.id
    assert len((await face.ok("list_sessions", ada))["data"]) == 1


async def test_either_copy_of_the_successor_leads_on(face: Face, gateway: Gateway, ada: Account) -> None:
    first, again = await refresh(face, ada.tokens), await refresh(face, ada.tokens)
    third, fourth = await refresh(face, again), await refresh(face, first)
    assert [generation(gateway, each) for each in (third, fourth)] == [2, 2]
    assert (await face.ok("me", replace(ada, tokens=fourth)))["id"] == ada.id


async def test_token_two_generations_old_ends_the_session_within_the_grace_and_is_logged(
    face: Face, ada: Account, rest: RestFace, graphql: GraphQLFace
) -> None:
    fresh = await refresh(face, ada.tokens)
    last = await refresh(face, fresh)
    other = replace(ada, tokens=await sign_in(face.client, ada.username, ada.password))
    with capture_logs() as logs:
        answer = await use(face, ada.tokens)
    assert (answer.problem, answer.status) == ("invalid_token", 401)
    noted = [each for each in logs if each["event"] == "refresh_token_reused"]
    assert [(each["user"], each["log_level"]) for each in noted] == [(ada.id, "warning")]
    assert ada.tokens["refresh_token"] not in str(logs)
    for each in (rest, graphql):
        await is_over(each, ada, ada.tokens, fresh, last)
    assert (await face.ok("me", other))["id"] == ada.id


async def test_predecessor_ends_the_session_once_the_grace_is_over(face: Face, gateway: Gateway, ada: Account) -> None:
    fresh = await refresh(face, ada.tokens)
    await grace_passed(gateway, ada)
    assert (await use(face, ada.tokens)).problem == "invalid_token"
    await is_over(face, ada, ada.tokens, fresh)


async def test_copy_that_is_used_after_the_grace_ends_the_session(face: Face, gateway: Gateway, ada: Account) -> None:
    """Two that hold copies of one successor do not go on beside each other."""
    mine, theirs = await refresh(face, ada.tokens), await refresh(face, ada.tokens)
    last = await refresh(face, mine)
    await grace_passed(gateway, ada)
    assert (await use(face, theirs)).problem == "invalid_token"
    await is_over(face, ada, last)


async def test_answering_again_does_not_prolong_the_grace(face: Face, gateway: Gateway, ada: Account) -> None:
    async def refreshed_at() -> Any:
        async with gateway.database.reading() as session:
            return (await session.execute(select(Session.refreshed_at).where(Session.user_id == ada.key))).scalar_one()

    await refresh(face, ada.tokens)
    before = await refreshed_at()
    await refresh(face, ada.tokens)
    assert await refreshed_at() == before is not None


@pytest.mark.parametrize("face_name", FACES)
async def test_grace_of_nothing_lets_one_use_through(settings: Settings, face_name: str) -> None:
    async with running(settings.model_copy(update={"REFRESH_GRACE_SECONDS": 0})) as strict:
        face, account = strict.face(face_name), await sign_up(strict.client)
        answers = await asyncio.gather(*(use(face, account.tokens) for _ in range(4)))
        problems = sorted(str(answer.problem) for answer in answers)
        assert problems == ["None", "invalid_token", "invalid_token", "invalid_token"]
        won = next(answer.data for answer in answers if answer.problem is None)
        await is_over(face, account, account.tokens, won)


async def test_eight_at_once_in_two_processes_are_one_refresh(
    face: Face, gateway: Gateway, settings: Settings, ada: Account
) -> None:
    async with running(settings) as second, recorded(gateway) as events:
        faces = [face, second.face(face.name)] * 4
        answers = await asyncio.gather(*(refresh(each, ada.tokens) for each in faces))
    assert {generation(gateway, each) for each in answers} == {1}
    assert [(each["operation"], each["outcome"]) for each in events] == [("refresh_token", "done")]
    assert (await face.ok("me", replace(ada, tokens=await refresh(face, answers[-1]))))["id"] == ada.id


async def test_refresh_that_waits_for_another_gets_the_same_successor(
    face: Face, gateway: Gateway, ada: Account
) -> None:
    async with gateway.database.unit_of_work() as session:
        of_ada = update(Session).where(Session.user_id == ada.key)
        await session.execute(of_ada.values(generation=1, refreshed_at=func.now()))
        waiting = await held_up(gateway, use(face, ada.tokens))
        await session.commit()
    assert generation(gateway, (await waiting).data) == 1


async def end(face: Face, account: Account) -> None:
    await face.ok("logout", account)


async def end_all(face: Face, account: Account) -> None:
    await face.ok("logout_all", account)


async def change_password(face: Face, account: Account) -> None:
    other = replace(account, tokens=await sign_in(face.client, account.username, account.password))
    data = {"current_password": account.password, "new_password": "a horse of another colour"}
    await face.ok("change_password", other, data)


async def deactivate(face: Face, account: Account) -> None:
    await face.ok("deactivate_user", account, id=account.id)


@pytest.mark.parametrize("happening", [end, end_all, change_password, deactivate])
async def test_session_that_was_ended_has_no_grace(
    face: Face, ada: Account, happening: Callable[[Face, Account], Awaitable[None]]
) -> None:
    fresh = await refresh(face, ada.tokens)
    await happening(face, replace(ada, tokens=fresh))
    with capture_logs() as logs:
        await is_over(face, ada, ada.tokens, fresh)
    assert [each for each in logs if each["event"].startswith("refresh_token")] == []


async def test_user_who_is_not_active_is_not_answered_again(face: Face, gateway: Gateway, ada: Account) -> None:
    await refresh(face, ada.tokens)
    async with gateway.database.unit_of_work() as session:
        await session.execute(update(User).where(User.id == ada.key).values(is_active=False))
        await session.commit()
    assert (await use(face, ada.tokens)).problem == "invalid_token"


async def test_session_that_has_expired_is_not_answered_again(face: Face, gateway: Gateway, ada: Account) -> None:
    await refresh(face, ada.tokens)
    async with gateway.database.unit_of_work() as session:
        past = update(Session).where(Session.user_id == ada.key).values(expires_at=Session.created_at)
        await session.execute(past)
        await session.commit()
    assert (await use(face, ada.tokens)).problem == "invalid_token"


async def test_refresh_that_is_answered_again_is_recorded_once(face: Face, gateway: Gateway, ada: Account) -> None:
    async with recorded(gateway) as events:
        for _ in range(3):
            await refresh(face, ada.tokens)
    assert events == [event(gateway, ada, "refresh_token")]


async def test_change_of_the_password_ends_the_grace(face: Face, ada: Account) -> None:
    present = await refresh(face, ada.tokens)
    changing = {"current_password": ada.password, "new_password": "correct horse battery"}
    await face.ok("change_password", replace(ada, tokens=present), changing)
    assert (await face.call("me", replace(ada, tokens=present))).problem is None
    assert (await use(face, ada.tokens)).problem == "invalid_token"
    await is_over(face, ada, ada.tokens, present)
