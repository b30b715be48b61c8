"""Avatars through both faces: whoever sees a user may fetch their picture, and nothing else of its workspace."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from sqlalchemy import update

from services.engine.gateway import Gateway
from services.identity.users.models import User
from tests.support.accounts import Account, sign_up
from tests.support.faces import Face
from tests.support.factories import make_key, make_workspace, unknown_id
from tests.support.uploads import PNG, announced, fetch, make_file


@pytest.fixture
async def admin(client: httpx.AsyncClient, gateway: Gateway) -> Account:
    account = await sign_up(client)
    async with gateway.database.unit_of_work() as session:
        await session.execute(update(User).where(User.id == account.key).values(is_superuser=True))
        await session.commit()
    return account


async def avatar_of(face: Face, user: Account, seen_by: Account) -> Any:
    """The avatar of a user, as somebody sees it."""
    return (await face.ok("get_user", seen_by, id=user.id))["avatar_id"]


async def test_an_avatar_is_fetched_by_whoever_sees_the_user(face: Face, ada: Account, eve: Account) -> None:
    picture, other = await make_file(face, ada), await make_file(face, ada)
    assert (await fetch(face, eve, picture["id"])).status_code == 404
    assert await avatar_of(face, ada, eve) is None
    user = await face.ok("set_avatar", ada, {"file_id": picture["id"]}, id=ada.id)
    assert user["avatar_id"] == picture["id"]
    assert await avatar_of(face, ada, eve) == picture["id"]
    got = await fetch(face, eve, picture["id"])
    assert (got.status_code, got.content) == (200, PNG)
    assert (await face.ok("get_file", eve, id=picture["id"]))["name"] == picture["name"]
    link = await face.ok("link_file", eve, id=picture["id"])
    assert (await face.client.get(link["url"])).content == PNG
    assert (await fetch(face, None, picture["id"])).status_code == 401
    for id in (other["id"], unknown_id("fil")):
        assert (await fetch(face, eve, id)).status_code == 404
        assert (await face.call("get_file", eve, id=id)).problem == "not_found"
        assert (await face.call("link_file", eve, id=id)).problem == "not_found"
    listed = await face.ok("list_files", eve, count=True)
    assert (listed["data"], listed["page"]["total"]) == ([], 0)
    both = (await face.ok("list_files", ada, count=True))["page"]["total"]
    assert both == 2


async def test_whoever_sees_an_avatar_can_do_nothing_else_with_it(face: Face, ada: Account, eve: Account) -> None:
    picture = await make_file(face, ada)
    await face.ok("set_avatar", ada, {"file_id": picture["id"]}, id=ada.id)
    item = await face.ok("create_item", eve, {"title": "Mine"})
    for name in ("complete_file", "delete_file"):
        assert (await face.call(name, eve, id=picture["id"])).problem == "forbidden"
    put = await face.client.put(f"/api/v1/files/{picture['id']}/content", content=PNG, headers=eve.headers)
    assert put.status_code == 403
    attached = await face.call("attach_file", eve, {"file_id": picture["id"]}, id=item["id"])
    assert list((attached.errors or {}).values()) == ["not_found"]
    taken = await face.call("set_avatar", eve, {"file_id": picture["id"]}, id=eve.id)
    assert list((taken.errors or {}).values()) == ["not_found"]
    assert await avatar_of(face, eve, eve) is None
    assert (await fetch(face, ada, picture["id"])).content == PNG


async def test_an_avatar_that_is_taken_off_is_private_again(face: Face, ada: Account, eve: Account) -> None:
    picture = await make_file(face, ada)
    await face.ok("set_avatar", ada, {"file_id": picture["id"]}, id=ada.id)
    assert (await face.ok("set_avatar", ada, {"file_id": None}, id=ada.id))["avatar_id"] is None
    assert await avatar_of(face, ada, eve) is None
    assert (await fetch(face, eve, picture["id"])).status_code == 404
    assert (await fetch(face, ada, picture["id"])).content == PNG


async def test_deleting_the_file_takes_the_avatar_off(face: Face, ada: Account, eve: Account) -> None:
    picture = await make_file(face, ada)
    await face.ok("set_avatar", ada, {"file_id": picture["id"]}, id=ada.id)
    await face.ok("delete_file", ada, id=picture["id"])
    assert await avatar_of(face, ada, ada) is None
    assert (await fetch(face, eve, picture["id"])).status_code == 404


async def test_deleting_the_workspace_takes_the_avatar_off(face: Face, ada: Account) -> None:
    room = await make_workspace(face, ada)
    picture = await make_file(face, ada, workspace_id=room["id"])
    await face.ok("set_avatar", ada, {"file_id": picture["id"]}, id=ada.id)
    await face.ok("delete_workspace", ada, id=room["id"])
    assert await avatar_of(face, ada, ada) is None


async def test_an_account_that_is_closed_shows_no_avatar(face: Face, ada: Account, eve: Account) -> None:
    picture = await make_file(face, ada)
    await face.ok("set_avatar", ada, {"file_id": picture["id"]}, id=ada.id)
    await face.ok("deactivate_user", ada, id=ada.id)
    assert (await fetch(face, eve, picture["id"])).status_code == 404


@pytest.mark.parametrize("kind", ["pending", "no picture", "active picture", "foreign", "of a colleague"])
async def test_only_ones_own_complete_pictures_become_avatars(
    face: Face, ada: Account, eve: Account, kind: str
) -> None:
    room = await make_workspace(face, ada)
    member = {"workspace_id": room["id"], "username": eve.username, "role": "editor"}
    await face.ok("create_membership", ada, member)
    match kind:
        case "pending":
            given = await face.ok("create_file", ada, announced(PNG, media_type="image/png"))
        case "no picture":
            given = await make_file(face, ada, b"Dear Ada,", name="letter.txt", media_type="text/plain")
        case "active picture":
            svg = b"<svg xmlns='http://www.w3.org/2000/svg'/>"
            given = await make_file(face, ada, svg, name="a.svg", media_type="image/svg+xml")
        case "foreign":
            given = await make_file(face, eve)
        case _:
            given = await make_file(face, eve, workspace_id=room["id"])
    answer = await face.call("set_avatar", ada, {"file_id": given["id"]}, id=ada.id)
    code = "conflict" if "picture" in kind else "not_found"
    assert (answer.problem, list((answer.errors or {}).values())) == ("validation_failed", [code])
    assert await avatar_of(face, ada, ada) is None


async def test_nobody_gives_others_a_picture(face: Face, ada: Account, eve: Account, admin: Account) -> None:
    for other in (eve, admin):
        picture = await make_file(face, other)
        answer = await face.call("set_avatar", other, {"file_id": picture["id"]}, id=ada.id)
        assert answer.problem == ("forbidden" if other is eve else "validation_failed")
    own = await make_file(face, ada)
    exposed = await face.call("set_avatar", admin, {"file_id": own["id"]}, id=ada.id)
    assert exposed.problem == "validation_failed"
    assert await avatar_of(face, ada, ada) is None


async def test_an_admin_takes_a_picture_off(face: Face, ada: Account, admin: Account) -> None:
    picture = await make_file(face, ada)
    await face.ok("set_avatar", ada, {"file_id": picture["id"]}, id=ada.id)
    await face.ok("set_avatar", admin, {"file_id": None}, id=ada.id)
    assert await avatar_of(face, ada, ada) is None


async def test_a_key_that_is_bound_to_a_workspace_sets_no_avatar(face: Face, ada: Account) -> None:
    room = await make_workspace(face, ada)
    picture = await make_file(face, ada, workspace_id=room["id"])
    key = await make_key(face, ada, scopes=["users:read", "users:write", "files:read"], workspace_id=room["id"])
    answer = await face.call("set_avatar", key, {"file_id": picture["id"]}, id=ada.id)
    assert answer.problem == "forbidden"
    assert await avatar_of(face, ada, ada) is None
