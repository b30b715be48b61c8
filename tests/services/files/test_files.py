"""Files through both faces: announced, sent, completed, fetched, attached, deleted."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from sqlalchemy import select

from services.engine.gateway import Gateway
from services.files.config import FilesConfig
from services.files.models import File
from services.files.store import FileStore
from services.jobs.models import Job
from tests.support.accounts import Account
from tests.support.faces import Face
from tests.support.factories import make_item, make_workspace, unknown_id
from tests.support.uploads import PNG, announced, fetch, make_file


async def stored(gateway: Gateway, id: str) -> list[str]:
    """The names of what the store has of a file."""
    found = [
        each["path"] async for batch in gateway.part(FileStore).store.list(id.removeprefix("fil_")) for each in batch
    ]
    return sorted(found)


async def test_a_file_goes_in_by_two_steps_and_out_again(face: Face, ada: Account) -> None:
    made = await face.ok("create_file", ada, announced(PNG, name="engine.png", media_type="image/png"))
    assert (await face.ok("get_file", ada, id=made["id"]))["state"] == "pending"
    assert (await fetch(face, ada, made["id"])).json()["code"] == "conflict"
    early = await face.call("complete_file", ada, id=made["id"])
    assert (early.problem, early.status) == ("conflict", 409)
    sent = await face.client.put(made["upload_url"], content=PNG)
    assert (sent.status_code, sent.headers["upload-offset"]) == (204, str(len(PNG)))
    assert (await fetch(face, ada, made["id"])).json()["code"] == "conflict"
    row = await face.ok("complete_file", ada, id=made["id"])
    assert (row["state"], row["size"], row["sha256"]) == ("complete", len(PNG), sha256(PNG).hexdigest())
    got = await fetch(face, ada, made["id"])
    assert (got.status_code, got.content, got.headers["content-type"]) == (200, PNG, "image/png")
    assert got.headers["etag"] == f'"{row["sha256"]}"'
    assert got.headers["x-content-type-options"] == "nosniff"
    assert got.headers["content-disposition"].startswith("inline; ")
    assert await face.ok("complete_file", ada, id=made["id"]) == row


async def test_others_find_neither_row_nor_bytes(face: Face, ada: Account, eve: Account) -> None:
    row = await make_file(face, ada)
    for name in ("get_file", "link_file", "delete_file", "complete_file"):
        assert (await face.call(name, eve, id=row["id"])).problem == "not_found"
    assert (await fetch(face, eve, row["id"])).status_code == 404
    assert (await fetch(face, None, row["id"])).status_code == 401
    assert (await fetch(face, ada, unknown_id("fil"))).status_code == 404
    put = await face.client.put(f"/api/v1/files/{row['id']}/content", content=PNG, headers=eve.headers)
    assert put.status_code == 404
    assert (await fetch(face, ada, row["id"])).content == PNG


async def test_a_workspace_one_is_not_in_takes_no_files(face: Face, ada: Account, eve: Account) -> None:
    room = await make_workspace(face, ada)
    answer = await face.call("create_file", eve, announced(PNG, workspace_id=room["id"]))
    assert (answer.problem, answer.errors) == ("validation_failed", {"workspace_id": "not_found"})


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        ({"name": "../../etc/passwd"}, {"name": "format"}),
        ({"name": "a\\b"}, {"name": "format"}),
        ({"name": ".."}, {"name": "format"}),
        ({"name": "a\nSet-Cookie: x"}, {"name": "format"}),
        ({"name": "\u202egpj.exe"}, {"name": "format"}),
        ({"name": "ö" * 128}, {"name": "format"}),
        ({"name": ""}, {"name": "length"}),
        ({"size": -1}, {"size": "range"}),
        ({"size": 2_000_000_000}, {"size": "range"}),
        ({"sha256": "A" * 64}, {"sha256": "format"}),
        ({"media_type": "text/html; charset=x"}, {"media_type": "format"}),
    ],
)
async def test_what_is_announced_wrongly_is_refused(
    face: Face, ada: Account, fields: dict[str, Any], errors: dict[str, str]
) -> None:
    answer = await face.call("create_file", ada, announced(PNG, **fields))
    names = {{"mediaType": "media_type"}.get(name, name): code for name, code in (answer.errors or {}).items()}
    assert (answer.problem, names) == ("validation_failed", errors)
    assert (await face.ok("list_files", ada, filter={"user_id": ada.id}))["data"] == []


async def test_the_quota_holds_under_races(
    face: Face, gateway: Gateway, ada: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts: Any = gateway.parts
    monkeypatch.setitem(parts, FilesConfig, replace(gateway.part(FilesConfig), quota_bytes=250))
    room = await make_workspace(face, ada)
    data = announced(b"x" * 100, workspace_id=room["id"])
    answers = await asyncio.gather(*(face.call("create_file", ada, data) for _ in range(5)))
    assert sorted(str(each.problem) for each in answers) == ["None", "None", *["validation_failed"] * 3]
    assert [each.errors for each in answers if each.problem] == [{"size": "quota"}] * 3


async def test_deleting_takes_the_bytes_by_a_job(face: Face, gateway: Gateway, ada: Account) -> None:
    row = await make_file(face, ada)
    assert len(await stored(gateway, row["id"])) == 1
    await face.ok("delete_file", ada, id=row["id"])
    assert (await fetch(face, ada, row["id"])).status_code == 404
    async with gateway.database.reading() as session:
        found = (await session.execute(select(Job.payload).where(Job.name == "delete_file_bytes"))).scalars().all()
        assert {"file_id": row["id"]} in [dict(each) for each in found]


async def test_files_are_attached_to_items_and_comments(face: Face, ada: Account) -> None:
    item, row = await make_item(face, ada), await make_file(face, ada)
    comment = await face.ok("create_comment", ada, {"item_id": item["id"], "body": "Look."})
    data = {"file_id": row["id"]}
    for attach, detach, path in (
        ("attach_file", "detach_file", f"/items/{item['id']}/files"),
        ("attach_comment_file", "detach_comment_file", f"/comments/{comment['id']}/files"),
    ):
        id = path.split("/")[2]
        for _ in range(2):
            await face.ok(attach, ada, data, id=id)
            body = (await face.client.get(f"/api/v1{path}", headers=ada.headers)).json()
            assert [each["id"] for each in body["data"]] == [row["id"]]
        await face.ok(detach, ada, data, id=id)
        assert (await face.client.get(f"/api/v1{path}", headers=ada.headers)).json()["data"] == []
        await face.ok(attach, ada, data, id=id)
    await face.ok("delete_file", ada, id=row["id"])
    for path in (f"/items/{item['id']}/files", f"/comments/{comment['id']}/files"):
        assert (await face.client.get(f"/api/v1{path}", headers=ada.headers)).json()["data"] == []


async def test_only_complete_files_of_the_same_workspace_are_attached(face: Face, ada: Account, eve: Account) -> None:
    item, room = await make_item(face, ada), await make_workspace(face, ada)
    pending = await face.ok("create_file", ada, announced(PNG))
    for other in (pending, await make_file(face, eve), await make_file(face, ada, workspace_id=room["id"])):
        answer = await face.call("attach_file", ada, {"file_id": other["id"]}, id=item["id"])
        assert answer.problem == "validation_failed"
        assert list((answer.errors or {}).values()) == ["not_found"]
    body = (await face.client.get(f"/api/v1/items/{item['id']}/files", headers=ada.headers)).json()
    assert body["data"] == []


async def test_a_link_is_good_for_whoever_has_it(face: Face, ada: Account) -> None:
    row, other = await make_file(face, ada), await make_file(face, ada)
    url = (await face.ok("link_file", ada, id=row["id"]))["url"]
    got = await face.client.get(url)
    assert (got.status_code, got.content) == (200, PNG)
    for bad in (
        url.replace(row["id"], other["id"]), url[:-1] + ("0" if url[-1] != "0" else "1"),
        url.replace("expires=", "expires=9"),
        url.replace("expires=", "expires=-"), url.split("&")[0], url + "é",
    ):  # fmt: skip
        answer = await face.client.get(bad)
        assert (answer.status_code, answer.json()["code"]) == (403, "invalid_link"), bad
    assert (await face.client.put(url, content=PNG)).json()["code"] == "invalid_link"


async def test_an_expired_link_is_refused(
    face: Face, gateway: Gateway, ada: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts: Any = gateway.parts
    config = gateway.part(FilesConfig)
    monkeypatch.setitem(parts, FilesConfig, replace(config, link_lifetime=-config.link_lifetime))
    row = await make_file(face, ada)
    url = (await face.ok("link_file", ada, id=row["id"]))["url"]
    assert (await face.client.get(url)).json()["code"] == "invalid_link"


async def test_a_row_says_nothing_of_leases(face: Face, ada: Account) -> None:
    assert set(await make_file(face, ada)) == {
        "id", "workspace_id", "user_id", "name", "size", "sha256", "media_type", "state", "created_at", "completed_at",
    }  # fmt: skip
    assert {"lease", "received"} < {each.key for each in File.__mapper__.column_attrs}
