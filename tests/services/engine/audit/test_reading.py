"""Who may read the audit, what can be asked of it, that it holds no secret, and that it only grows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from asyncpg import PostgresError
from sqlalchemy import select

from gateway.settings import DEFAULT_MODULES, Settings
from services.engine.gateway import Gateway
from services.identity.users.models import User
from tests.support.accounts import Account, sign_up
from tests.support.apps import FACES, Running, client_from, make_admin, running
from tests.support.audit import event, every_event, recorded, refusal
from tests.support.databases import run_sql
from tests.support.faces import Face, GraphQLFace, RestFace
from tests.support.factories import Team, invite, key_of, make_item, make_workspace, unique, unknown_id


async def events_of(face: Face, account: Account, **arguments: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await face.ok("list_audit_events", account, **arguments))["data"]
    return found


async def test_event_reads_alike_everywhere(face: Face, gateway: Gateway, team: Team) -> None:
    item = await make_item(face, team.editor, workspace_id=team.id)
    found, *_ = await events_of(face, team.owner, filter={"workspace_id": team.id})
    (stored,) = [each for each in (await every_event(gateway)).values() if each["resource_id"] == item["id"]]
    assert found == {
        "id": f"aud_{stored['id'].hex}", "created_at": found["created_at"], "user_id": team.editor.id,
        "session_id": f"ses_{stored['session_id'].hex}", "key_id": None, "as_admin": False, "operation": "create_item",
        "resource": "item", "resource_id": item["id"], "workspace_id": team.id,
        "caused_by": None, "request_id": stored["request_id"], "address": "127.0.0.1", "outcome": "done",
        "problem": None, "changed": ["workspace_id", "title"],
    }  # fmt: skip
    assert item["created_at"][:16] <= found["created_at"][:16]
    assert await face.ok("get_audit_event", team.owner, id=found["id"]) == found


async def test_owners_read_their_workspace_s_and_nobody_else_does(face: Face, team: Team, ada: Account) -> None:
    foreign = await make_workspace(face, ada)
    everything = await events_of(face, team.owner, filter={"workspace_id": team.id})
    assert {each["operation"] for each in everything} == {"create_workspace", "create_membership"}
    other, *_ = await events_of(face, ada, filter={"workspace_id": foreign["id"]})
    for account, kept in ((team.editor, everything[0]), (team.viewer, everything[0]), (team.outsider, everything[0]),
                          (team.owner, other)):  # fmt: skip
        asked = {"id": kept["id"]}
        listed = await face.ok("list_audit_events", account, filter=asked, count=True)
        assert listed == {"data": [], "page": {"has_next": False, "next": None, "total": 0}}
        answers = [await face.call("get_audit_event", account, id=each) for each in (kept["id"], unknown_id("aud"))]
        assert [(each.problem, each.status) for each in answers] == [("not_found", 404)] * 2
    assert (await face.call("list_audit_events")).problem == "unauthenticated"


async def test_what_belongs_to_no_workspace_is_for_admins(
    face: Face, gateway: Gateway, client: httpx.AsyncClient, team: Team
) -> None:
    root = await make_admin(gateway, client, await sign_up(client))
    mine = {"user_id": team.owner.id}
    assert [each["operation"] for each in await events_of(face, root, filter=mine)][-2:] == ["login", "create_user"]
    assert "login" not in {each["operation"] for each in await events_of(face, team.owner, filter=mine)}
    seen = await events_of(face, root, filter={"workspace_id": team.id})
    assert seen == await events_of(face, team.owner, filter={"workspace_id": team.id})


async def test_owner_no_more_reads_no_more(face: Face, team: Team, ada: Account) -> None:
    member = await invite(face, team.owner, ada, team.id, "owner")
    asked = {"workspace_id": team.id}
    assert await events_of(face, ada, filter=asked) != []
    await face.ok("update_membership", team.owner, {"role": "editor"}, id=member["id"])
    assert await events_of(face, ada, filter=asked) == []


async def test_audit_is_filtered_sorted_and_paged_like_any_list(face: Face, team: Team) -> None:
    item = await make_item(face, team.editor, workspace_id=team.id)
    await face.call("archive_item", team.viewer, id=item["id"])
    await face.ok("archive_item", team.editor, id=item["id"])
    here = {"workspace_id": team.id}

    async def operations(*sort: str, **tree: Any) -> list[str]:
        rows = await events_of(face, team.owner, filter={**here, **tree}, sort=list(sort))
        return [each["operation"] for each in rows]

    every = [
        "create_workspace",
        "create_membership",
        "create_membership",
        "create_item",
        "archive_item",
        "archive_item",
    ]
    assert await operations("created_at") == every
    assert await operations("-operation", outcome="done", resource={"ne": "item"}) == every[:1] + every[1:3]
    assert await operations(outcome="refused", problem="forbidden") == ["archive_item"]
    assert await operations("created_at", resource_id=item["id"], user_id=team.editor.id) == every[3:5]
    assert await operations(operation={"starts_with": "archive"}, as_admin=True) == []
    assert await operations(key_id={"is_null": False}) == []
    assert await operations("created_at", address="127.0.0.1", session_id={"is_null": False}) == every
    first = await face.ok("list_audit_events", team.owner, filter=here, sort=["created_at"], limit=4, count=True)
    assert (len(first["data"]), first["page"]["total"], first["page"]["has_next"]) == (4, 6, True)
    rest = await face.ok(
        "list_audit_events", team.owner, filter=here, sort=["created_at"], limit=4, after=first["page"]["next"]
    )
    assert [each["operation"] for each in [*first["data"], *rest["data"]]] == every


async def test_event_leads_to_its_user(rest: RestFace, graphql: GraphQLFace, ada: Account) -> None:
    await make_item(rest, ada)
    query = "{ auditEvents(first: 1) { nodes { operation outcome changed user { username } } } }"
    nodes = (await graphql.data(query, actor=ada))["auditEvents"]["nodes"]
    assert nodes == [
        {"operation": "create_item", "outcome": "DONE", "changed": ["title"], "user": {"username": ada.username}}
    ]
    (row,) = (await rest.get("/audit-events", ada, limit="1", include="user"))["data"]
    assert (row["operation"], row["user"]["username"]) == ("create_item", ada.username)


async def test_audit_is_not_written_through_either_face(
    gateway: Gateway, rest: RestFace, graphql: GraphQLFace, ada: Account
) -> None:
    about = {
        name
        for name, each in gateway.catalogue.operations.items()
        if each.resource and each.resource.name == "audit_event"
    }
    assert about == {"list_audit_events", "get_audit_event"}
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert (await rest.send(method, "/audit-events", ada)).status_code == 405
    for verb in ("create", "update", "delete"):
        body = await graphql.run(f'mutation {{ {verb}AuditEvent(input: {{id: "a"}}) {{ __typename }} }}', actor=ada)
        assert body["errors"][0]["extensions"]["code"] == "invalid_document"


async def test_no_secret_is_in_it(face: Face, gateway: Gateway, client: httpx.AsyncClient) -> None:
    account, new = await sign_up(client, password="a secret horse"), "a secret horse of another colour"
    await face.call("login", None, {"username": account.username, "password": "a secret mule"})
    await face.call("login", None, {"username": "a secret typed into the wrong field", "password": "x"})
    fresh = await face.ok("refresh_token", None, {"refresh_token": account.tokens["refresh_token"]})
    signed_in = Account(account.id, account.username, account.password, fresh)
    await face.ok("change_password", signed_in, {"current_password": account.password, "new_password": new})
    async with gateway.database.reading() as session:
        stored = (await session.execute(select(User.password_hash).where(User.id == account.key))).scalar_one()
    told = repr(list((await every_event(gateway)).values()))
    assert account.key.hex in told.replace("-", "")
    secrets = [
        stored,
        *(tokens[name] for tokens in (account.tokens, fresh) for name in ("access_token", "refresh_token")),
    ]
    for secret in ("secret horse", "secret mule", "wrong field", "argon2", *secrets, *(each[:40] for each in secrets)):
        assert secret not in told


@pytest.mark.parametrize(
    "statement",
    [
        "update audit_events set outcome = 'done'",
        "update audit_events set outcome = 'done' where false",
        "delete from audit_events",
        "truncate audit_events",
        "truncate users cascade",
        "insert into audit_events (select * from audit_events limit 1) on conflict (id) do update set as_admin = true",
    ],
)
async def test_postgresql_lets_nobody_change_it(
    settings: Settings, gateway: Gateway, rest: RestFace, ada: Account, statement: str
) -> None:
    await make_item(rest, ada)
    before = await every_event(gateway)
    with pytest.raises(PostgresError, match="audit events are added, and nothing else"):
        await run_sql(settings.database_url, statement)
    assert await every_event(gateway) == before


async def test_event_outlives_the_workspace(
    face: Face, gateway: Gateway, client: httpx.AsyncClient, ada: Account
) -> None:
    root = await make_admin(gateway, client, await sign_up(client))
    made = await make_workspace(face, ada)
    await face.ok("delete_workspace", ada, id=made["id"])
    asked = {"workspace_id": made["id"]}
    listed = await events_of(face, root, filter=asked, sort=["created_at"])
    told = [(each["operation"], each["resource"], each["caused_by"]) for each in listed]
    assert told == [
        ("create_workspace", "workspace", None), ("delete_workspace", "membership", made["id"]),
        ("delete_workspace", "workspace", None),
    ]  # fmt: skip
    assert await events_of(face, ada, filter=asked) == []


@pytest.fixture(scope="module")
async def limited(settings: Settings) -> AsyncIterator[Running]:
    """Two attempts a minute for an account, four for an address."""
    limits = {"LOGIN_ATTEMPTS_PER_ACCOUNT": "2/minute", "LOGIN_ATTEMPTS_PER_ADDRESS": "4/minute"}
    async with running(settings.model_copy(update=limits)) as found:
        yield found


@pytest.mark.parametrize("name", FACES)
async def test_who_is_turned_away_again_and_again_is_recorded_once(limited: Running, name: str) -> None:
    async with client_from(limited.app) as client:
        ada = await sign_up(client)
    async with client_from(limited.app) as client, recorded(limited.gateway) as events:
        face = FACES[name](client, limited.gateway.catalogue)
        wrong = {"username": ada.username, "password": "wrong horse"}
        problems = [(await face.call("login", None, wrong)).problem for _ in range(7)]
    assert problems == ["invalid_credentials"] * 2 + ["too_many_requests"] * 5
    address = events[0]["address"]
    assert address.startswith("2001:db8:")
    refused = [
        refusal(limited.gateway, ada, "login", problem, session_id=None, address=address)
        for problem in ("invalid_credentials", "invalid_credentials", "too_many_requests", "too_many_requests")
    ]
    # Turned away for the account's sake first, then for the address', when the account is not looked at any more.
    assert events == [*refused[:3], {**refused[3], "user_id": None}]


@pytest.mark.parametrize("name", FACES)
async def test_without_the_module_nothing_is_recorded(settings: Settings, name: str) -> None:
    rest_of_them = [each for each in DEFAULT_MODULES if each != "services.engine.audit"]
    async with running(settings.model_copy(update={"MODULES": rest_of_them})) as found:
        async with recorded(found.gateway) as events:
            ada, face = await sign_up(found.client), found.face(name)
            made = await make_workspace(face, ada)
            await face.call("login", None, {"username": ada.username, "password": "wrong horse"})
            await face.ok("delete_workspace", ada, id=made["id"])
        assert events == []
        assert "audit_events:read" not in ada.tokens["scope"].split()


async def test_workspace_of_an_unreadable_row_is_told_nothing_of(face: Face, gateway: Gateway, team: Team) -> None:
    """Nobody writes into the audit of a workspace that they cannot see."""
    item = await make_item(face, team.owner, workspace_id=team.id)
    async with recorded(gateway) as events:
        assert (await face.call("delete_item", team.outsider, id=item["id"])).problem == "not_found"
        data = {"workspace_id": team.id, "title": unique("intruder")}
        assert (await face.call("create_item", team.outsider, data)).problem == "validation_failed"
        await face.ok("create_item", team.outsider, {"title": "At home"})
    assert [each["workspace_id"] == key_of(team.id) for each in events] == [False]
    home = {name: events[0][name] for name in ("resource_id", "workspace_id")}
    assert events == [event(gateway, team.outsider, "create_item", resource="item", changed=["title"], **home)]
