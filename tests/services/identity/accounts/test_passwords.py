"""Forgotten passwords, and what nobody learns by asking for a new one."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from services.engine.gateway import Gateway
from services.identity.mail.models import MailToken
from services.identity.mail.tokens import digest_of
from services.jobs.models import Job, JobState
from tests.services.identity.conftest import PostOffice, address, user_of, verified
from tests.support.accounts import Account, KeyHolder
from tests.support.apps import make_admin
from tests.support.faces import Face
from tests.support.factories import unique
from tests.support.statements import statements

NEW = "another horse"
SPENT = ("validation_failed", {"token": "invalid"})


async def asked(face: Face, ada: Account, post: PostOffice) -> str:
    await post.mails(address(ada))
    await face.ok("forgot_password", None, {"email": address(ada)})
    return await post.token(address(ada), "Choose a new password")


async def test_new_password_by_mail_ends_all_sessions_and_is_told(
    face: Face, ada: Account, post: PostOffice, gateway: Gateway
) -> None:
    token = await asked(face, ada, post)
    assert await face.ok("reset_password", None, {"token": token, "new_password": NEW}) is None
    assert (await face.call("me", ada)).problem == "invalid_token"
    refresh = await face.call("refresh_token", None, {"refresh_token": ada.tokens["refresh_token"]})
    assert refresh.problem == "invalid_token"
    old = await face.call("login", None, {"username": ada.username, "password": ada.password})
    assert old.problem == "invalid_credentials"
    await face.ok("login", None, {"username": ada.username, "password": NEW})
    assert await post.subjects(address(ada)) == ["Your password at Hybrid Gateway was changed"]
    # Whoever has read the mail has shown that the address is theirs.
    assert (await user_of(gateway, ada)).email_verified is True


async def test_token_for_a_password_works_once_and_ends_those_before_it(
    face: Face, ada: Account, post: PostOffice, gateway: Gateway
) -> None:
    first, second = await asked(face, ada, post), await asked(face, ada, post)
    await face.ok("reset_password", None, {"token": second, "new_password": NEW})
    stored = (await user_of(gateway, ada)).id
    for token in (first, second):
        answer = await face.call("reset_password", None, {"token": token, "new_password": "yet another"})
        assert (answer.problem, answer.errors) == SPENT
    await face.ok("login", None, {"username": ada.username, "password": NEW})
    async with gateway.database.reading() as session:
        left = await session.execute(select(MailToken.purpose).where(MailToken.user_id == stored))
        assert [each.value for each in left.scalars()] == ["verify_email"]


async def test_bad_new_password_does_not_use_the_token_up(face: Face, ada: Account, post: PostOffice) -> None:
    token = await asked(face, ada, post)
    answer = await face.call("reset_password", None, {"token": token, "new_password": "short"})
    assert (answer.problem, answer.errors) == ("validation_failed", {"new_password": "length"})
    await face.ok("reset_password", None, {"token": token, "new_password": NEW})


async def test_closed_account_gets_no_mail_and_its_token_is_worth_nothing(
    face: Face, ada: Account, post: PostOffice
) -> None:
    token = await asked(face, ada, post)
    await face.ok("deactivate_user", ada, id=ada.id)
    answer = await face.call("reset_password", None, {"token": token, "new_password": NEW})
    assert (answer.problem, answer.errors) == SPENT
    await face.ok("forgot_password", None, {"email": address(ada)})
    assert await post.mails(address(ada)) == []


@pytest.mark.parametrize("name", ["forgot_password", "resend_verification"])
async def test_known_and_unknown_addresses_get_the_same_answer_by_the_same_statements(
    face: Face, ada: Account, post: PostOffice, gateway: Gateway, name: str
) -> None:
    closed, unknown = ada, f"{unique('nobody')}@example.com"
    # Once, so that all is prepared.
    await face.ok(name, None, {"email": f"{unique('nobody')}@example.com"})
    seen = []
    for email in (address(closed), unknown):
        with statements(gateway) as sent:
            answer = await face.call(name, None, {"email": email})
        seen.append((answer.status, answer.data, answer.size, [*sent]))
    assert seen[0] == seen[1]
    assert not any(" users" in each for each in seen[0][3])
    assert len(await post.waiting("mail_link")) >= 2
    await post.look_up()
    assert await post.waiting("deliver_mail", unknown) == []


async def test_typed_address_is_not_in_the_database_in_plain(face: Face, post: PostOffice, gateway: Gateway) -> None:
    await post.look_up()
    await face.ok("forgot_password", None, {"email": "somebody-typed@example.com"})
    (job,) = await post.waiting("mail_link")
    async with gateway.database.reading() as session:
        payload = (await session.execute(select(Job.payload).where(Job.id == job.id))).scalar_one()
    assert "somebody-typed" not in str(payload)


async def test_second_try_of_looking_up_sends_no_second_mail(face: Face, ada: Account, post: PostOffice) -> None:
    await post.mails(address(ada))
    await face.ok("forgot_password", None, {"email": address(ada)})
    (job,) = await post.waiting("mail_link")
    runner = post.runner()
    async with post.gateway.database.reading() as session:
        payload = (await session.execute(select(Job.payload).where(Job.id == job.id))).scalar_one()
    await runner.run(job.id, job.ticket)
    async with post.gateway.database.unit_of_work() as session:
        again = update(Job).where(Job.id == job.id).values(state=JobState.QUEUED, payload=payload)
        await session.execute(again)
        await session.commit()
    await runner.run(job.id, job.ticket)
    assert (await post.job(job)).attempts == 2
    assert len(await post.waiting("deliver_mail", address(ada))) == 1


async def test_of_ten_who_use_a_token_at_once_one_succeeds(
    face: Face, ada: Account, post: PostOffice, gateway: Gateway
) -> None:
    token = await asked(face, ada, post)
    words = [f"horse number {number}" for number in range(10)]
    calls = [face.call("reset_password", None, {"token": token, "new_password": each}) for each in words]
    answers = await asyncio.gather(*calls)
    (won,) = [word for word, answer in zip(words, answers, strict=True) if answer.problem is None]
    assert {(each.problem, *(each.errors or {})) for each in answers if each.problem} == {
        ("validation_failed", "token")
    }
    await face.ok("login", None, {"username": ada.username, "password": won})
    assert await post.subjects(address(ada)) == ["Your password at Hybrid Gateway was changed"]


async def test_expired_token_and_that_of_another_purpose_are_refused_alike(
    face: Face, ada: Account, post: PostOffice, gateway: Gateway
) -> None:
    verify = await post.token(address(ada), "Verify your address")
    reset = await asked(face, ada, post)
    async with gateway.database.unit_of_work() as session:
        past = update(MailToken).where(MailToken.digest == digest_of(reset))
        await session.execute(past.values(expires_at=MailToken.created_at - timedelta(seconds=1)))
        await session.commit()
    wrong = [
        ("reset_password", reset, {"new_password": NEW}), ("reset_password", verify, {"new_password": NEW}),
        ("confirm_email", verify, {}), ("verify_email", reset, {}), ("verify_email", "nonsense", {}),
        ("verify_email", verify[:-1], {}), ("verify_email", "é\u2028", {}),
    ]  # fmt: skip
    answers = [await face.call(name, None, {"token": token, **more}) for name, token, more in wrong]
    assert [(each.problem, each.errors) for each in answers] == [SPENT] * len(wrong)
    assert all(each.members == answers[0].members for each in answers)
    await face.ok("verify_email", None, {"token": verify})
    assert (await face.ok("me", ada))["email_verified"] is True


async def test_tokens_are_stored_as_digests_and_are_in_no_log(
    face: Face, ada: Account, post: PostOffice, gateway: Gateway, capfd: pytest.CaptureFixture[str]
) -> None:
    token = await asked(face, ada, post)
    await face.ok("reset_password", None, {"token": token, "new_password": NEW})
    await post.mails(address(ada))
    said = capfd.readouterr().err
    assert "job_done" in said
    assert token not in said
    assert address(ada) not in said
    async with gateway.database.reading() as session:
        payloads = (await session.execute(select(Job.payload).where(Job.name == "deliver_mail"))).scalars()
        assert not any(token in str(each) for each in payloads)


async def test_changed_password_is_told(face: Face, ada: Account, post: PostOffice, gateway: Gateway) -> None:
    await verified(gateway, ada)
    await post.mails(address(ada))
    await face.ok("change_password", ada, {"current_password": ada.password, "new_password": NEW})
    assert await post.subjects(address(ada)) == ["Your password at Hybrid Gateway was changed"]


@pytest.mark.parametrize("how", ["change_password", "deactivate_user"])
async def test_links_asked_for_before_are_worth_nothing_once_the_account_is_secured(
    face: Face, ada: Account, eve: Account, post: PostOffice, gateway: Gateway, how: str
) -> None:
    reset, new = await asked(face, ada, post), f"{unique('thief')}@example.org"
    await face.ok("change_email", ada, {"new_email": new, "current_password": ada.password})
    confirm = await post.token(new, "Confirm your new address")
    if how == "change_password":
        await face.ok(how, ada, {"current_password": ada.password, "new_password": NEW})
    else:
        root = await make_admin(gateway, face.client, eve)
        await face.ok(how, ada, id=ada.id)
        await face.ok("activate_user", root, id=ada.id)
    for name, data in (
        ("reset_password", {"token": reset, "new_password": "a thief's horse"}), ("confirm_email", {"token": confirm}),
    ):  # fmt: skip
        answer = await face.call(name, None, data)
        assert (answer.problem, answer.errors) == SPENT
    assert (await user_of(gateway, ada)).email == address(ada)


@pytest.mark.parametrize(("known", "left"), [(True, None), (False, "invalid_token")])
async def test_reset_of_an_account_that_was_never_verified_ends_its_keys(
    face: Face, ada: Account, post: PostOffice, known: bool, left: str | None
) -> None:
    """Somebody else may have made it with this address, and waited for whose it is."""
    if known:
        await face.ok("verify_email", None, {"token": await post.token(address(ada), "Verify your address")})
    made = await face.ok("create_api_key", ada, {"name": "Import", "scopes": ["users:read"]})
    key = KeyHolder(ada.id, ada.username, ada.password, {}, made["id"], made["secret"])
    await face.ok("me", key)
    await face.ok("reset_password", None, {"token": await asked(face, ada, post), "new_password": NEW})
    assert (await face.call("me", key)).problem == left
