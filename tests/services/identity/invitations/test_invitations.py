"""Invitations into a workspace, by mail."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import Executable, delete, update

from services.engine.gateway import Gateway
from services.identity.invitations.models import Invitation
from services.identity.users.models import User
from services.identity.workspaces.models import Membership, Role
from tests.services.identity.conftest import PostOffice, address, text_of, token_of
from tests.support.accounts import Account, KeyHolder
from tests.support.faces import Face
from tests.support.factories import Team, key_of, make_workspace, unique

SPENT = ("validation_failed", {"token": "invalid"})


async def invited(face: Face, team: Team, post: PostOffice, email: str, role: str = "editor") -> tuple[str, str]:
    """An invitation's identifier, and its token."""
    data = {"workspace_id": team.id, "email": email, "role": role}
    made = await face.ok("create_invitation", team.owner, data)
    *_, mail = await post.mails(email)
    return made["id"], token_of(mail)


async def test_invited_address_joins_with_the_role_once(face: Face, team: Team, post: PostOffice, ada: Account) -> None:
    await post.mails(address(ada))
    data = {"workspace_id": team.id, "email": address(ada), "role": "editor"}
    made = await face.ok("create_invitation", team.owner, data)
    assert {name: made[name] for name in ("workspace_id", "email", "role", "user_id")} == {
        **data, "user_id": team.owner.id,
    }  # fmt: skip
    assert "token" not in made
    (mail,) = await post.mails(address(ada))
    assert mail["Subject"] == f"{team.owner.username} invites you to Hybrid Gateway"
    assert "as editor" in text_of(mail)
    joined = await face.ok("accept_invitation", ada, {"token": token_of(mail)})
    assert joined["workspace_id"] == team.id
    member = await face.ok("get_membership", ada, id=joined["membership_id"])
    assert (member["user_id"], member["role"]) == (ada.id, "editor")
    assert (await face.ok("get_workspace", ada, id=team.id))["id"] == team.id
    again = await face.call("accept_invitation", team.outsider, {"token": token_of(mail)})
    assert (again.problem, again.errors) == SPENT
    assert (await face.ok("list_invitations", team.owner, filter={"workspace_id": team.id}))["data"] == []


async def test_answer_is_the_same_whether_or_not_the_address_has_an_account(
    face: Face, team: Team, post: PostOffice, ada: Account
) -> None:
    shown = []
    for email in (address(ada), f"{unique('nobody')}@example.com"):
        data = {"workspace_id": team.id, "email": email}
        made = await face.ok("create_invitation", team.owner, data)
        shown.append({name: made[name] for name in made if name not in ("id", "email", "created_at", "expires_at")})
        assert len([each for each in await post.subjects(email) if "invites you" in each]) == 1
    assert shown[0] == shown[1]


async def test_only_owners_invite_and_see_whom(face: Face, team: Team, post: PostOffice) -> None:
    email = f"{unique('guest')}@example.com"
    identifier, _ = await invited(face, team, post, email)
    data = {"workspace_id": team.id, "email": f"{unique('other')}@example.com"}
    for member in (team.editor, team.viewer):
        # Not even a conflict tells them.
        assert (await face.call("create_invitation", member, {**data, "email": email})).problem == "forbidden"
        assert (await face.call("create_invitation", member, data)).problem == "forbidden"
        assert (await face.call("get_invitation", member, id=identifier)).problem == "not_found"
        assert (await face.call("delete_invitation", member, id=identifier)).problem == "not_found"
        assert (await face.ok("list_invitations", member))["data"] == []
    assert (await face.call("create_invitation", team.outsider, data)).errors == {"workspace_id": "not_found"}
    assert await post.mails(data["email"]) == []


async def test_revoked_and_expired_invitations_are_worth_nothing(
    face: Face, team: Team, post: PostOffice, ada: Account, gateway: Gateway
) -> None:
    revoked, token = await invited(face, team, post, f"{unique('guest')}@example.com")
    await face.ok("delete_invitation", team.owner, id=revoked)
    email = f"{unique('guest')}@example.com"
    expired, late = await invited(face, team, post, email)
    async with gateway.database.unit_of_work() as session:
        over = update(Invitation).where(Invitation.id == key_of(expired))
        await session.execute(over.values(expires_at=Invitation.created_at - timedelta(seconds=1)))
        await session.commit()
    for each in (token, late):
        answer = await face.call("accept_invitation", ada, {"token": each})
        assert (answer.problem, answer.errors) == SPENT
    assert (await face.call("get_workspace", ada, id=team.id)).problem == "not_found"
    # One that is over is in nobody's way.
    again, _ = await invited(face, team, post, email)
    assert again != expired
    twice = await face.call("create_invitation", team.owner, {"workspace_id": team.id, "email": email.upper()})
    assert (twice.problem, twice.errors) == ("conflict", {"email": "unique"})


async def test_of_ten_who_accept_at_once_one_joins(
    face: Face, team: Team, post: PostOffice, ada: Account, eve: Account
) -> None:
    _, token = await invited(face, team, post, f"{unique('guest')}@example.com")
    calls = [face.call("accept_invitation", each, {"token": token}) for each in (ada, eve) for _ in range(5)]
    answers = await asyncio.gather(*calls)
    assert sorted(each.problem or "" for each in answers) == ["", *["validation_failed"] * 9]
    members = await face.ok("list_memberships", team.owner, filter={"workspace_id": team.id})
    assert len({each["user_id"] for each in members["data"]} & {ada.id, eve.id}) == 1


async def test_member_does_not_use_an_invitation_up(face: Face, team: Team, post: PostOffice, ada: Account) -> None:
    _, token = await invited(face, team, post, f"{unique('guest')}@example.com", "viewer")
    answer = await face.call("accept_invitation", team.owner, {"token": token})
    assert answer.problem == "conflict"
    await face.ok("accept_invitation", ada, {"token": token})


async def test_key_bound_to_a_workspace_joins_no_other(face: Face, team: Team, post: PostOffice, ada: Account) -> None:
    own = await make_workspace(face, ada)
    data = {"name": "Import", "scopes": ["memberships:write", "memberships:read"], "workspace_id": own["id"]}
    made = await face.ok("create_api_key", ada, data)
    key = KeyHolder(ada.id, ada.username, ada.password, {}, made["id"], made["secret"])
    _, token = await invited(face, team, post, f"{unique('guest')}@example.com")
    assert (await face.call("accept_invitation", key, {"token": token})).problem == "forbidden"
    await face.ok("accept_invitation", ada, {"token": token})


@pytest.mark.parametrize("how", ["closed", "editor", "gone"])
async def test_invitation_of_somebody_who_is_no_owner_any_more_is_worth_nothing(
    face: Face, team: Team, post: PostOffice, ada: Account, gateway: Gateway, how: str
) -> None:
    _, token = await invited(face, team, post, f"{unique('guest')}@example.com")
    mine = Membership.workspace_id == key_of(team.id), Membership.user_id == team.owner.key
    change: Executable = {
        "closed": update(User).where(User.id == team.owner.key).values(is_active=False),
        "editor": update(Membership).where(*mine).values(role=Role.EDITOR),
        "gone": delete(Membership).where(*mine),
    }[how]
    async with gateway.database.unit_of_work() as session:
        await session.execute(change)
        await session.commit()
    answer = await face.call("accept_invitation", ada, {"token": token})
    assert (answer.problem, answer.errors) == SPENT
    assert (await face.call("get_workspace", ada, id=team.id)).problem == "not_found"
