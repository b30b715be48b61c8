"""The catalogue is what MODULES says: the gateway without the sample, and with a resource from somewhere else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from httpx import AsyncClient

from gateway.app import create_app
from gateway.migrate import upgrade
from gateway.settings import DEFAULT_MODULES, Settings
from graphql_schema.schema.schema import build_schema
from rest.openapi.document import openapi_document
from services.catalogue import Catalogue
from tests.support.accounts import Account, sign_up
from tests.support.apps import FACES, Running, running
from tests.support.databases import empty_database, run_sql
from tests.support.faces import Face

CORE = ["services.identity.users", "services.identity.auth", "services.identity.workspaces"]
FOREIGN = "tests.support.foreign"
NESTED = """query($id: ID!) { workspace(id: $id) { name milestones(first: 5, orderBy: [{field: NAME, direction: DESC}])
    { nodes { name mood workspace { id } } pageInfo { hasNextPage } } } }"""


@pytest.fixture
async def core(settings: Settings) -> AsyncIterator[Running]:
    async with running(settings.model_copy(update={"MODULES": CORE})) as found:
        yield found


@pytest.mark.parametrize("name", FACES)
async def test_core_alone_serves_accounts_and_workspaces(core: Running, name: str) -> None:
    ada, face = await sign_up(core.client), core.face(name)
    assert (await face.ok("me", ada))["username"] == ada.username
    made = await face.ok("create_workspace", ada, {"name": "Engine", "slug": f"engine-{ada.key.hex[-12:]}"})
    listed = await face.ok("list_workspaces", ada, filter={"is_personal": {"eq": False}})
    assert listed["data"] == [made]
    assert "items:read" not in ada.tokens["scope"].split()


async def test_core_alone_knows_nothing_of_the_sample(core: Running) -> None:
    ada = await sign_up(core.client)
    for path in ("items", "labels", "comments"):
        answer = await core.client.get(f"/api/v1/{path}", headers=ada.headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    document = (await core.client.get("/api/v1/openapi.json")).json()
    assert not [path for path in document["paths"] if any(word in path for word in ("item", "label", "comment"))]
    assert "Item" not in document["components"]["schemas"]
    asked = await core.client.post("/graphql", json={"query": '{ __type(name: "Item") { name } }'})
    assert asked.json() == {"data": {"__type": None}}
    refused = await core.client.post("/graphql", json={"query": "{ items { nodes { id } } }"}, headers=ada.headers)
    assert refused.json()["errors"][0]["extensions"]["code"] == "invalid_document"


async def test_core_alone_is_ready_and_has_its_pages(core: Running) -> None:
    ready = await core.client.get("/health/ready")
    assert (ready.status_code, ready.json()["status"]) == (200, "ok")
    for path in ("/", "/docs", "/redoc", "/graphql"):
        answer = await core.client.get(path, headers={"Accept": "text/html"})
        assert answer.status_code == 200, path


def test_contracts_of_the_core_name_no_sample() -> None:
    catalogue = Catalogue.load(CORE)
    schema = build_schema(catalogue).as_str()
    document = openapi_document(catalogue, title="Core", version="1", prefix="/api/v1")
    assert "type Workspace implements Node" in schema
    for word in ("Item", "Label", "Comment"):
        assert word not in schema
        assert word not in document["components"]["schemas"]


def test_order_of_modules_does_not_matter() -> None:
    backwards = Catalogue.load(reversed(DEFAULT_MODULES))
    assert set(backwards.resources) == set(Catalogue.load(DEFAULT_MODULES).resources)
    assert set(backwards.resources["workspace"].relations) >= {"items", "labels", "members"}


@pytest.fixture(scope="module")
async def foreign(settings: Settings) -> AsyncIterator[Running]:
    """The core and a package from outside, on a database that their migrations have made."""
    async with empty_database(settings) as url:
        wanted = Settings(_env_file=None, **{**settings.model_dump(), "DATABASE_URL": url, "MODULES": [*CORE, FOREIGN]})
        await asyncio.to_thread(upgrade, wanted)
        async with running(wanted) as found:
            yield found


@pytest.fixture
async def owner(foreign: Running) -> Account:
    return await sign_up(foreign.client)


async def workspace_of(face: Face, owner: Account) -> str:
    listed = await face.ok("list_workspaces", owner)
    return str(listed["data"][0]["id"])


@pytest.mark.parametrize("name", FACES)
async def test_foreign_resource_is_served_like_any_other(foreign: Running, owner: Account, name: str) -> None:
    face = foreign.face(name)
    home = await workspace_of(face, owner)
    first = await face.ok("create_milestone", owner, {"workspace_id": home, "name": "Alpha"})
    second = await face.ok("create_milestone", owner, {"workspace_id": home, "name": "Beta", "mood": "tense"})
    assert first == {"id": first["id"], "workspace_id": home, "name": "Alpha", "mood": "calm", "reached_at": None}
    assert first["id"].startswith("mls_")
    reached = await face.ok("reach_milestone", owner, id=second["id"])
    assert reached["reached_at"] is not None

    async def names(**arguments: Any) -> list[str]:
        listed = await face.ok("list_milestones", owner, **arguments)
        return [each["name"] for each in listed["data"]]

    assert await names(sort=["-name"]) == ["Beta", "Alpha"]
    assert await names(filter={"mood": {"eq": "tense"}}) == ["Beta"]
    assert await names(filter={"reached_at": {"is_null": True}}) == ["Alpha"]
    assert await names(filter={"name": {"starts_with": "al"}}) == ["Alpha"]
    assert await face.ok("get_milestone", owner, id=first["id"]) == first


@pytest.mark.parametrize("name", FACES)
async def test_foreign_resource_keeps_its_policy_and_its_constraints(
    foreign: Running, owner: Account, name: str
) -> None:
    face, stranger = foreign.face(name), await sign_up(foreign.client)
    home = await workspace_of(face, owner)
    made = await face.ok("create_milestone", owner, {"workspace_id": home, "name": "Ours"})
    assert (await face.call("get_milestone", stranger, id=made["id"])).problem == "not_found"
    assert (await face.ok("list_milestones", stranger))["data"] == []
    answer = await face.call("create_milestone", stranger, {"workspace_id": home, "name": "Theirs"})
    assert (answer.problem, answer.errors) == ("validation_failed", {"workspace_id": "not_found"})
    refused = await face.call("create_milestone", owner, {"workspace_id": home, "name": "doomsday"})
    assert (refused.problem, refused.errors) == ("validation_failed", {"name": "range"})
    assert [each["name"] for each in (await face.ok("list_milestones", owner))["data"]] == ["Ours"]


async def test_foreign_resource_is_nested_in_the_core_s(foreign: Running, owner: Account) -> None:
    rest = foreign.face("rest")
    home = await workspace_of(rest, owner)
    for milestone in ("Alpha", "Beta"):
        await rest.ok("create_milestone", owner, {"workspace_id": home, "name": milestone})

    body = await graphql_body(foreign.client, owner, {"id": home})
    nodes = [{"name": each, "mood": "CALM", "workspace": {"id": home}} for each in ("Beta", "Alpha")]
    assert body["data"]["workspace"]["milestones"] == {"nodes": nodes, "pageInfo": {"hasNextPage": False}}
    listed = await foreign.client.get(f"/api/v1/workspaces/{home}/milestones?sort=name", headers=owner.headers)
    assert [each["name"] for each in listed.json()["data"]] == ["Alpha", "Beta"]
    included = await foreign.client.get(f"/api/v1/workspaces/{home}?include=milestones", headers=owner.headers)
    assert {each["name"] for each in included.json()["milestones"]["data"]} == {"Alpha", "Beta"}
    assert {"milestones:read", "milestones:write"} <= set(owner.tokens["scope"].split())


async def graphql_body(client: AsyncClient, owner: Account, variables: dict[str, str]) -> Any:
    answer = await client.post("/graphql", json={"query": NESTED, "variables": variables}, headers=owner.headers)
    return answer.json()


async def test_foreign_tables_are_migrated_and_ready(foreign: Running, settings: Settings) -> None:
    ready = await foreign.client.get("/health/ready")
    assert ready.json() == {"status": "ok", "checks": {"database": "up", "migrations": "up", "redis": "up"}}
    async with foreign.gateway.database.probe.connect() as connection:
        versions = (await connection.exec_driver_sql("select version_num from alembic_version")).scalars().all()
    assert "milestones1" in versions
    # The suite's own database knows nothing of them.
    assert await run_sql(settings.database_url, "select to_regclass('milestones')::text") == [(None,)]


async def test_suite_s_own_application_is_not_disturbed(foreign: Running, core: Running, client: AsyncClient) -> None:
    """Catalogues of one process share models, and nothing else."""
    ada = await sign_up(client)
    assert (await client.get("/api/v1/items?include=workspace,labels", headers=ada.headers)).status_code == 200
    for app, included in ((core.client, "items"), (core.client, "milestones"), (foreign.client, "items")):
        member = await sign_up(app)
        answer = await app.get(f"/api/v1/workspaces?include={included}", headers=member.headers)
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")


def test_unknown_module_stops_the_start(settings: Settings) -> None:
    with pytest.raises(Exception, match=r'there is no package "services\.nonsense"') as caught:
        create_app(settings.model_copy(update={"MODULES": [*CORE, "services.nonsense"]}))
    assert "MODULES" in str(caught.value)
