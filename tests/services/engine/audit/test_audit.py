"""What the audit records: every write once, what was refused to whom, and nothing of what did not happen."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import httpx
import pytest

from services.engine.gateway import Gateway
from tests.support.accounts import Account, sign_in, sign_up
from tests.support.apps import make_admin
from tests.support.audit import ADDRESS, event, every_event, recorded, refusal, session_of
from tests.support.faces import Face, GraphQLFace, RestFace
from tests.support.factories import Team, key_of, make_comment, make_item, make_label, unique
from tests.support.grace import grace_passed

# On what, with what input, and which fields that changes.
ON_A_ROW: list[tuple[str, str, dict[str, Any], list[str]]] = [
    ("update_item", "item", {"title": "Changed", "priority": 0, "description": "New"}, ["title", "description"]),
    ("update_item", "item", {}, []),
    ("archive_item", "item", {}, ["status"]),
    ("attach_label", "item", {"label_id": "label"}, ["label_id"]),
    ("detach_label", "item", {"label_id": "label"}, ["label_id"]),
    ("delete_item", "item", {}, []),
    ("update_label", "label", {"name": "steel"}, ["name"]),
    ("delete_label", "label", {}, []),
    ("update_comment", "comment", {"body": "Changed"}, ["body"]),
    ("delete_comment", "comment", {}, []),
    ("update_workspace", "workspace", {"name": "Changed"}, ["name"]),
    ("delete_workspace", "workspace", {}, []),
    ("update_membership", "membership", {"role": "editor"}, ["role"]),
    ("delete_membership", "membership", {}, []),
]


@pytest.mark.parametrize(("operation", "noun", "data", "changed"), ON_A_ROW)
async def test_change_of_a_row_is_recorded_once(
    face: Face, gateway: Gateway, team: Team, operation: str, noun: str, data: dict[str, Any], changed: list[str]
) -> None:
    label = await make_label(face, team.owner, workspace_id=team.id)
    item = await make_item(face, team.owner, workspace_id=team.id)
    rows = {"item": item, "label": label, "comment": await make_comment(face, team.owner, item)}
    row = {**rows, "workspace": team.workspace, "membership": team.memberships["viewer"]}[noun]
    given = {name: label["id"] if value == "label" else value for name, value in data.items()}
    async with recorded(gateway) as events:
        await face.ok(operation, team.owner, given, id=row["id"])
    about = {"resource": noun, "resource_id": row["id"], "workspace_id": key_of(team.id), "changed": changed}
    itself = [each for each in events if each["caused_by"] is None]
    assert itself == [event(gateway, team.owner, operation, **about)]


async def test_creation_is_recorded_with_the_names_of_what_was_sent(face: Face, gateway: Gateway, team: Team) -> None:
    async with recorded(gateway) as events:
        made = [
            await face.ok("create_label", team.editor, {"workspace_id": team.id, "name": "brass"}),
            item := await face.ok("create_item", team.editor, {"workspace_id": team.id, "title": "A", "priority": 1}),
            await face.ok("create_comment", team.editor, {"item_id": item["id"], "body": "B"}),
        ]
    where, sent = (
        key_of(team.id),
        (["workspace_id", "name"], ["workspace_id", "title", "priority"], ["item_id", "body"]),
    )
    assert events == [
        event(gateway, team.editor, f"create_{noun}", resource=noun, resource_id=row["id"], workspace_id=where,
              changed=names)
        for noun, row, names in zip(("label", "item", "comment"), made, sent, strict=True)
    ]  # fmt: skip


async def test_workspace_belongs_to_itself_and_its_members_to_it(
    face: Face, gateway: Gateway, ada: Account, eve: Account
) -> None:
    async with recorded(gateway) as events:
        made = await face.ok("create_workspace", ada, {"name": "Engine", "slug": unique("engine")})
        data = {"workspace_id": made["id"], "username": eve.username}
        member = await face.ok("create_membership", ada, data)
    where = key_of(made["id"])
    assert events == [
        event(gateway, ada, "create_workspace", resource="workspace", resource_id=made["id"], workspace_id=where,
              changed=["name", "slug"]),
        event(gateway, ada, "create_membership", resource="membership", resource_id=member["id"], workspace_id=where,
              changed=["workspace_id", "username"]),
    ]  # fmt: skip


async def test_change_of_an_account_is_recorded_without_a_workspace(face: Face, gateway: Gateway, ada: Account) -> None:
    new, about = "a horse of another colour", {"resource": "user", "resource_id": ada.id}
    async with recorded(gateway) as events:
        await face.ok("update_user", ada, {"full_name": "Ada"}, id=ada.id)
        await face.ok("change_password", ada, {"current_password": ada.password, "new_password": new})
        await face.ok("deactivate_user", ada, id=ada.id)
    assert events == [
        event(gateway, ada, "update_user", **about, changed=["full_name"]),
        event(gateway, ada, "change_password", **about, changed=["password"]),
        event(gateway, ada, "deactivate_user", **about, changed=["is_active"]),
    ]


async def test_signing_up_in_on_and_out_is_recorded(face: Face, gateway: Gateway) -> None:
    name = unique("newcomer")
    data = {"email": f"{name}@example.com", "username": name, "password": "correct horse"}
    async with recorded(gateway) as events:
        made = await face.ok("create_user", None, data)
        tokens = await face.ok("login", None, {"username": name, "password": "correct horse"})
        tokens = await face.ok("refresh_token", None, {"refresh_token": tokens["refresh_token"]})
        await face.ok("logout", account := Account(made["id"], name, "correct horse", tokens))
    session = session_of(gateway, account)
    assert events == [
        event(gateway, account, "create_user", session_id=None, resource="user", resource_id=made["id"],
              changed=["email", "username", "password"]),
        event(gateway, account, "login", resource="session", resource_id=f"ses_{session.hex}"),
        event(gateway, account, "refresh_token"),
        event(gateway, account, "logout"),
    ]  # fmt: skip


async def test_refused_sign_in_is_recorded_with_the_account_if_there_is_one(
    face: Face, gateway: Gateway, ada: Account
) -> None:
    async with recorded(gateway) as events:
        for name in (ada.username, unique("nobody")):
            answer = await face.call("login", None, {"username": name, "password": "wrong horse"})
            assert answer.problem == "invalid_credentials"
    known = refusal(gateway, ada, "login", "invalid_credentials", session_id=None)
    assert events == [known, {**known, "user_id": None}]


async def test_refresh_token_used_again_is_recorded_with_the_session_it_ends(
    face: Face, gateway: Gateway, ada: Account
) -> None:
    await face.ok("refresh_token", None, {"refresh_token": ada.tokens["refresh_token"]})
    await grace_passed(gateway, ada)
    async with recorded(gateway) as events:
        answer = await face.call("refresh_token", None, {"refresh_token": ada.tokens["refresh_token"]})
        assert answer.problem == "invalid_token"
        assert (await face.call("me", ada)).problem == "invalid_token"
    assert events == [refusal(gateway, ada, "refresh_token", "invalid_token")]


async def test_forbidden_change_is_recorded_in_the_workspace(face: Face, gateway: Gateway, team: Team) -> None:
    item, where = await make_item(face, team.owner, workspace_id=team.id), key_of(team.id)
    async with recorded(gateway) as events:
        answers = [
            await face.call("update_item", team.viewer, {"title": "Mine"}, id=item["id"]),
            await face.call("delete_workspace", team.editor, id=team.id),
            await face.call("create_item", team.viewer, {"workspace_id": team.id, "title": "Mine"}),
        ]
    assert [each.problem for each in answers] == ["forbidden"] * 3
    assert events == [
        refusal(gateway, team.viewer, "update_item", resource="item", resource_id=item["id"], workspace_id=where),
        refusal(gateway, team.editor, "delete_workspace", resource="workspace", resource_id=team.id,
                workspace_id=where),
        refusal(gateway, team.viewer, "create_item", resource="item", workspace_id=where),
    ]  # fmt: skip


async def test_narrow_token_s_write_is_recorded(face: Face, gateway: Gateway, client: httpx.AsyncClient) -> None:
    narrow = await sign_up(client, scope="items:read")
    async with recorded(gateway) as events:
        assert (await face.call("create_item", narrow, {"title": "A"})).problem == "insufficient_scope"
        assert (await face.call("create_item", narrow, {"title": 1})).problem == "insufficient_scope"
        assert (await face.call("logout_all", narrow)).problem == "insufficient_scope"
    refused = refusal(gateway, narrow, "create_item", "insufficient_scope", resource="item")
    assert events == [refused, refused, refusal(gateway, narrow, "logout_all", "insufficient_scope")]


async def test_what_did_not_happen_is_not_recorded(face: Face, gateway: Gateway, team: Team, ada: Account) -> None:
    label = await make_label(face, team.owner, "brass", workspace_id=team.id)
    narrow = replace(ada, tokens=await sign_in(face.client, ada.username, ada.password, scope="users:read"))
    calls: list[tuple[str, Account | None, dict[str, Any], str | None, str]] = [
        ("create_item", team.owner, {"title": ""}, None, "validation_failed"),
        ("create_item", team.owner, {"title": "A", "parent_id": "itm_" + "0" * 32}, None, "validation_failed"),
        ("create_label", team.owner, {"workspace_id": team.id, "name": "BRASS"}, None, "conflict"),
        ("update_label", team.outsider, {"name": "steel"}, label["id"], "not_found"),
        ("update_membership", team.owner, {"role": "viewer"}, team.memberships["owner"]["id"], "conflict"),
        ("create_item", None, {"title": "A"}, None, "unauthenticated"),
        ("refresh_token", None, {"refresh_token": "nonsense"}, None, "invalid_token"),
        ("list_items", narrow, {}, None, "insufficient_scope"),
    ]
    async with recorded(gateway) as events:
        for operation, actor, data, key, problem in calls:
            assert (await face.call(operation, actor, data, id=key)).problem == problem
        await face.ok("list_labels", team.owner)
        await face.ok("get_label", team.owner, id=label["id"])
    assert events == []


async def test_event_goes_with_the_transaction(face: Face, gateway: Gateway, ada: Account) -> None:
    """What fails after it was recorded has not been done."""

    async def fails(*_: object) -> None:
        raise RuntimeError("after the audit")

    async with recorded(gateway) as events:
        with patch.object(Gateway, "_result", fails):
            assert (await face.call("create_item", ada, {"title": "A"})).problem == "internal_error"
    assert events == []
    assert (await face.ok("list_items", ada))["data"] == []


async def test_two_writes_at_once_are_two_events(face: Face, gateway: Gateway, ada: Account) -> None:
    item = await make_item(face, ada)
    async with recorded(gateway) as events:
        titles = [face.ok("update_item", ada, {"title": title}, id=item["id"]) for title in ("One", "Two")]
        await asyncio.gather(*titles)
    assert [(each["operation"], each["resource_id"], each["changed"]) for each in events] == [
        ("update_item", item["id"], ["title"])
    ] * 2


async def test_refusal_that_cannot_be_recorded_is_answered_all_the_same(
    face: Face, gateway: Gateway, team: Team, capsys: pytest.CaptureFixture[str]
) -> None:
    async with recorded(gateway) as events:
        with patch("services.engine.audit.recording._insert", side_effect=OSError("gone")):
            answer = await face.call("update_workspace", team.viewer, {"name": "Mine"}, id=team.id)
    assert (answer.problem, answer.status, events) == ("forbidden", 403, [])
    assert '"event":"audit_failed"' in capsys.readouterr().err


async def test_admin_is_marked_where_nobody_else_could(
    face: Face, gateway: Gateway, client: httpx.AsyncClient, team: Team, ada: Account
) -> None:
    root = await make_admin(gateway, client, await sign_up(client))
    member = await make_admin(gateway, client, team.editor)
    async with recorded(gateway) as events:
        await face.ok("create_item", root, {"title": "At home"})
        item = await face.ok("create_item", root, {"workspace_id": team.id, "title": "Elsewhere"})
        await face.ok("update_item", root, {"title": "Still elsewhere"}, id=item["id"])
        await face.ok("update_item", member, {"title": "Where they are an editor"}, id=item["id"])
        await face.ok("update_workspace", member, {"name": "Where they are no owner"}, id=team.id)
        await face.ok("deactivate_user", root, id=ada.id)
        await face.ok("activate_user", root, id=ada.id)
        await face.ok("update_user", root, {"full_name": "Root"}, id=root.id)
    assert [each["as_admin"] for each in events] == [False, True, True, False, True, True, True, False]


async def test_request_is_named_as_its_answer_and_the_log_name_it(
    gateway: Gateway, rest: RestFace, graphql: GraphQLFace, ada: Account
) -> None:
    named = {**ada.headers, "X-Request-ID": unique("request")}
    await rest.client.post("/api/v1/items", json={"title": "A"}, headers=named)
    steps = " ".join(f'{name}: createLabel(input: {{name: "{name}"}}) {{ label {{ id }} }}' for name in "ab")
    await graphql.client.post("/graphql", json={"query": f"mutation {{ {steps} }}"}, headers=named)
    found = [each for each in (await every_event(gateway)).values() if each["request_id"] == named["X-Request-ID"]]
    assert [(each["operation"], each["address"]) for each in found] == [
        ("create_item", ADDRESS), ("create_label", ADDRESS), ("create_label", ADDRESS)
    ]  # fmt: skip
