"""Mails that have waited, and whose link is good for nothing by the time that they would be sent."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Executable, select, update

from services.engine.gateway import Gateway
from services.identity.users.models import User
from services.identity.workspaces.models import Membership, Role
from services.jobs.models import Job, JobState
from tests.services.identity.conftest import PostOffice, address, token_of, verified
from tests.support.accounts import Account
from tests.support.apps import make_admin
from tests.support.faces import Face
from tests.support.factories import Team, key_of, unique


async def only(post: PostOffice, name: str, to: str) -> Job:
    """The one job of this name to an address."""
    (job,) = await post.waiting(name, to)
    return job


async def change(gateway: Gateway, statement: Executable) -> None:
    async with gateway.database.unit_of_work() as session:
        await session.execute(statement)
        await session.commit()


async def payload_of(post: PostOffice, job: Job) -> dict[str, Any]:
    async with post.gateway.database.reading() as session:
        found: dict[str, Any] = (await session.execute(select(Job.payload).where(Job.id == job.id))).scalar_one()
    return found


async def invited(face: Face, team: Team, email: str) -> str:
    """Ask for an invitation, whose mail waits; returns its identifier."""
    made = await face.ok("create_invitation", team.owner, {"workspace_id": team.id, "email": email})
    return str(made["id"])


async def test_invitation_that_was_revoked_meanwhile_is_not_sent(
    face: Face, team: Team, post: PostOffice, capfd: pytest.CaptureFixture[str]
) -> None:
    email, other = f"{unique('guest')}@example.com", f"{unique('guest')}@example.com"
    identifier = await invited(face, team, email)
    await invited(face, team, other)
    await face.ok("delete_invitation", team.owner, id=identifier)
    assert await post.deliver(await only(post, "deliver_invitation", email)) is None
    said = capfd.readouterr().err
    assert "mail_not_sent" in said
    assert email not in said
    # One made again has a mail of its own, and that of another is not touched.
    await invited(face, team, email)
    assert len(await post.mails(email)) == len(await post.mails(other)) == 1


@pytest.mark.parametrize("how", ["closed", "editor"])
async def test_invitation_of_somebody_who_is_no_owner_any_more_is_not_sent(
    face: Face, team: Team, post: PostOffice, gateway: Gateway, how: str
) -> None:
    email = f"{unique('guest')}@example.com"
    await invited(face, team, email)
    mine = Membership.workspace_id == key_of(team.id), Membership.user_id == team.owner.key
    closing = update(User).where(User.id == team.owner.key).values(is_active=False)
    await change(gateway, closing if how == "closed" else update(Membership).where(*mine).values(role=Role.EDITOR))
    assert await post.deliver(await only(post, "deliver_invitation", email)) is None


async def test_invitation_into_a_workspace_that_is_gone_is_not_sent(face: Face, team: Team, post: PostOffice) -> None:
    email = f"{unique('guest')}@example.com"
    await invited(face, team, email)
    await face.ok("delete_workspace", team.owner, id=team.id)
    assert await post.deliver(await only(post, "deliver_invitation", email)) is None


async def test_invitation_that_was_accepted_between_two_tries_is_not_sent_again(
    face: Face, team: Team, post: PostOffice, ada: Account, gateway: Gateway
) -> None:
    """The mail was taken, and the worker died before it could say so."""
    email = f"{unique('guest')}@example.com"
    await invited(face, team, email)
    job = await only(post, "deliver_invitation", email)
    payload = await payload_of(post, job)
    mail = await post.deliver(job)
    assert mail is not None
    await face.ok("accept_invitation", ada, {"token": token_of(mail)})
    await change(gateway, update(Job).where(Job.id == job.id).values(state=JobState.QUEUED, payload=payload))
    (post.folder / f"{job.id.hex}.eml").unlink()
    assert await post.deliver(job) is None


async def test_link_to_an_address_that_an_admin_has_changed_meanwhile_is_not_sent(
    face: Face, ada: Account, eve: Account, post: PostOffice, gateway: Gateway
) -> None:
    root, new = await make_admin(gateway, face.client, eve), f"{unique('new')}@example.org"
    job = await only(post, "deliver_mail", address(ada))
    await face.ok("update_user", root, {"email": new}, id=ada.id)
    assert await post.deliver(job) is None
    assert [each.partition(" for ")[0] for each in await post.subjects(new)] == ["Verify your address"]


async def test_links_of_a_closed_account_are_not_sent(face: Face, ada: Account, post: PostOffice) -> None:
    await face.ok("forgot_password", None, {"email": address(ada)})
    await post.look_up()
    new = f"{unique('new')}@example.org"
    await face.ok("change_email", ada, {"new_email": new, "current_password": ada.password})
    jobs = [*await post.waiting("deliver_mail", address(ada)), await only(post, "deliver_mail", new)]
    await face.ok("deactivate_user", ada, id=ada.id)
    assert [await post.deliver(each) for each in jobs] == [None] * 3


async def test_links_that_a_new_password_has_ended_are_not_sent(
    face: Face, ada: Account, post: PostOffice, gateway: Gateway
) -> None:
    await verified(gateway, ada)
    await post.mails(address(ada))
    await face.ok("forgot_password", None, {"email": address(ada)})
    await post.look_up()
    job = await only(post, "deliver_mail", address(ada))
    await face.ok("change_password", ada, {"current_password": ada.password, "new_password": "another horse"})
    assert await post.deliver(job) is None
    # Of what has happened one is told all the same.
    assert await post.subjects(address(ada)) == ["Your password at Hybrid Gateway was changed"]


async def test_link_that_was_too_long_on_its_way_is_a_failure(
    face: Face, ada: Account, post: PostOffice, gateway: Gateway
) -> None:
    """Somebody waits for it, and whoever runs the gateway shall know."""
    job = await only(post, "deliver_mail", address(ada))
    payload = {**await payload_of(post, job), "good_until": "2020-01-01T00:00:00Z"}
    await change(gateway, update(Job).where(Job.id == job.id).values(payload=payload))
    await post.runner().run(job.id, job.ticket)
    done = await post.job(job)
    assert (done.state, done.error) == (JobState.FAILED, "Its link is too old by now.")
    assert not (post.folder / f"{job.id.hex}.eml").exists()
