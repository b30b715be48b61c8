"""What is deprecated is marked in both contracts, and its use is told and counted on both faces."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import date
from types import SimpleNamespace
from typing import Annotated, Any, cast

import httpx
import pytest

from gateway import metrics
from gateway.app import create_app
from gateway.migrate import upgrade
from gateway.settings import Settings
from graphql_schema.documents.deprecation import _member_names
from graphql_schema.schema.schema import build_schema
from rest.deprecation import _called
from rest.openapi.document import openapi_document
from services.catalogue import Call, Catalogue, DeclarationError, Deprecation, InputModel
from services.engine.gateway import Gateway
from tests.support.accounts import Account, sign_up
from tests.support.apps import Running, client_from
from tests.support.asgi import observed
from tests.support.databases import empty_database
from tests.support.foreign.models import Milestone
from tests.support.foreign.resource import milestones

MODULES = ["services.identity.users", "services.identity.auth", "services.identity.workspaces", "tests.support.foreign"]
REACH, FIELD, MEMBER = "reach_milestone", "milestone.reached_at", "create_milestone.mood"

JANUARY, FEBRUARY, MARCH = "@1767225600", "@1769904000", "@1772323200"
SUNSET_OF_FIELD, SUNSET_OF_REACH = "Thu, 01 Jul 2027 00:00:00 GMT", "Fri, 01 Jan 2027 00:00:00 GMT"
LINK = '<https://example.org/{}>; rel="deprecation"'


@dataclass(frozen=True)
class Shop:
    """The foreign resource, served, with somebody in a workspace, and a milestone there."""

    running: Running
    owner: Account
    workspace: str
    milestone: str

    async def rest(self, method: str, path: str, body: Any = None) -> httpx.Response:
        headers = {**self.owner.headers, "Content-Type": "application/json"}
        content = None if body is None else json.dumps(body)
        path = path.replace("{id}", self.milestone)
        return await self.running.client.request(method, f"/api/v1{path}", content=content, headers=headers)

    async def graphql(self, query: str, **variables: Any) -> Any:
        body = {"query": query.replace("{id}", self.milestone), "variables": variables}
        return (await self.running.client.post("/graphql", json=body, headers=self.owner.headers)).json()

    async def counted(self) -> Counter[tuple[str, str]]:
        text = (await self.running.client.get("/metrics")).text
        found = re.findall(r'^gateway_deprecated_total\{face="(\w+)",member="([\w.]+)"\} (\d+)\.0$', text, re.MULTILINE)
        assert len(found) == 6, text
        return Counter({(face, member): int(value) for face, member, value in found if int(value)})


@pytest.fixture(scope="module")
def counters() -> Iterator[None]:
    """The counters of this module's applications, and then what was there before."""
    series = dict(metrics._series)
    yield
    metrics._series.clear()
    metrics._series.update(series)


@pytest.fixture(scope="module", params=[True, False], ids=["compiled", "general"])
async def shop(settings: Settings, counters: None, request: pytest.FixtureRequest) -> AsyncIterator[Shop]:
    async with empty_database(settings) as url:
        given = {"DATABASE_URL": url, "MODULES": MODULES, "METRICS": request.param, "COMPILED_READS": request.param}
        wanted = Settings(_env_file=None, **{**settings.model_dump(), **given})
        await asyncio.to_thread(upgrade, wanted)
        app = create_app(wanted)
        async with app.router.lifespan_context(app), client_from(app) as client:
            running = Running(app, app.state.gateway, client)
            owner, face = await sign_up(client), running.face("rest")
            home = (await face.ok("list_workspaces", owner))["data"][0]["id"]
            made = await face.ok("create_milestone", owner, {"workspace_id": home, "name": "Alpha"})
            yield Shop(running, owner, home, made["id"])


@dataclass(frozen=True)
class Use:
    """A request, and what it uses."""

    rest: tuple[str, str, Any] | None
    graphql: str | None
    members: tuple[str, ...]
    since: str = ""
    sunset: str = ""
    links: tuple[str, ...] = ()
    variables: dict[str, Any] | None = None


LIST = "query($f: MilestoneFilter, $o: [MilestoneOrder!]) { milestones(filter: $f, orderBy: $o) { nodes { name } } }"
CREATE = "mutation($i: CreateMilestoneInput!) { createMilestone(input: $i) { milestone { name } } }"
USES: dict[str, Use] = {
    "a whole row": Use(("GET", "/milestones/{id}", None), '{ milestone(id: "{id}") { name mood } }', ()),
    "a whole list": Use(("GET", "/milestones", None), "{ milestones { nodes { id } totalCount } }", ()),
    "a field that is asked for": Use(
        ("GET", "/milestones/{id}?fields=name,reached_at", None), '{ milestone(id: "{id}") { name at: reachedAt } }',
        (FIELD,), JANUARY, SUNSET_OF_FIELD, ("reached",),
    ),
    "a field below a relation": Use(
        ("GET", "/workspaces?include=milestones&fields=name,milestones.reached_at", None),
        "{ workspaces { nodes { ...W } } } fragment W on Workspace { milestones { edges { node { reachedAt } } } }",
        (FIELD,), JANUARY, SUNSET_OF_FIELD, ("reached",),
    ),
    "a field of a node": Use(
        None, '{ node(id: "{id}") { ... on Milestone { reachedAt } } }', (FIELD,),
    ),
    "a filter": Use(
        ("GET", "/milestones?reached_at[is_null]=true", None),
        "{ milestones(filter: {reachedAt: {isNull: true}}) { nodes { id } } }",
        (FIELD,), JANUARY, SUNSET_OF_FIELD, ("reached",),
    ),
    "a filter within a filter": Use(
        ("GET", '/milestones?filter={"or":[{"not":{"reached_at":{"is_null":true}}}]}', None), LIST,
        (FIELD,), JANUARY, SUNSET_OF_FIELD, ("reached",), {"f": {"or": [{"not": {"reachedAt": {"isNull": True}}}]}},
    ),
    "an order": Use(
        ("GET", "/milestones?sort=name,-reached_at", None),
        "{ milestones(orderBy: {field: REACHED_AT}) { nodes { id } } }",
        (FIELD,), JANUARY, SUNSET_OF_FIELD, ("reached",),
    ),
    "an order in a variable": Use(
        ("QUERY", "/milestones", {"sort": ["reached_at"]}), LIST,
        (FIELD,), JANUARY, SUNSET_OF_FIELD, ("reached",), {"o": [{"field": "NAME"}, {"field": "REACHED_AT"}]},
    ),
    "a search": Use(
        ("POST", "/milestones/search", {"fields": ["reached_at"]}), None,
        (FIELD,), JANUARY, SUNSET_OF_FIELD, ("reached",),
    ),
    "nothing in variables": Use(None, LIST, (), variables={"f": {"name": {"eq": "x"}}, "o": None}),
    "an input without the member": Use(
        ("POST", "/milestones", {"workspace_id": "@", "name": "A"}), CREATE,
        (), variables={"i": {"workspaceId": "@", "name": "A"}},
    ),
    "a member of the input": Use(
        ("POST", "/milestones", {"workspace_id": "@", "name": "B", "mood": "tense"}), CREATE,
        (MEMBER,), MARCH, variables={"i": {"workspaceId": "@", "name": "B", "mood": "TENSE"}},
    ),
    "a member that is refused": Use(
        ("POST", "/milestones", {"workspace_id": "@", "name": "", "mood": "tense"}), CREATE,
        (MEMBER,), MARCH, variables={"i": {"workspaceId": "@", "name": "", "mood": "TENSE"}},
    ),
    "an operation": Use(
        ("POST", "/milestones/{id}/reach", {}),
        'mutation { reachMilestone(input: {id: "{id}"}) { milestone { name } } }',
        (REACH,), FEBRUARY, SUNSET_OF_REACH, ("reach",),
    ),
    "an operation and a field": Use(
        ("POST", "/milestones/{id}/reach?fields=reached_at", {}),
        'mutation { reachMilestone(input: {id: "{id}"}) { milestone { reachedAt } } }',
        (REACH, FIELD), JANUARY, SUNSET_OF_REACH, ("reach", "reached"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    "use", [each for each in USES.values() if each.rest], ids=[n for n, u in USES.items() if u.rest]
)
async def test_rest_tells_and_notes_what_is_used(shop: Shop, use: Use) -> None:
    assert use.rest is not None
    method, path, body = use.rest
    body = {**body, "workspace_id": shop.workspace} if body and "workspace_id" in body else body
    with observed() as seen:
        answer = await shop.rest(method, path, body)
    assert answer.status_code == (422 if body and body.get("name") == "" else answer.status_code)
    assert answer.status_code in (200, 201, 422)
    assert answer.headers.get("deprecation", "") == use.since
    assert answer.headers.get("sunset", "") == use.sunset
    links = [each for each in answer.headers.get_list("link") if "deprecation" in each]
    assert links == [LINK.format(each) for each in use.links]
    assert seen[-1].deprecated == tuple(("rest", each) for each in use.members)


@pytest.mark.parametrize(
    "use", [each for each in USES.values() if each.graphql], ids=[n for n, u in USES.items() if u.graphql]
)
async def test_graphql_notes_what_is_used(shop: Shop, use: Use) -> None:
    assert use.graphql is not None
    variables = json.loads(json.dumps(use.variables or {}).replace('"@"', json.dumps(shop.workspace)))
    for _ in range(2):  # what is remembered is noted again
        with observed() as seen:
            answer = await shop.graphql(use.graphql, **variables)
        assert ("errors" in answer) == (variables.get("i", {}).get("name") == ""), answer
        assert seen[-1].deprecated == tuple(("graphql", each) for each in use.members)


async def test_uses_are_counted_by_face_and_member(shop: Shop) -> None:
    if shop.running.gateway.reader is None:
        assert (await shop.running.client.get("/metrics")).status_code == 404
        return
    before = await shop.counted()
    await shop.rest("POST", "/milestones/{id}/reach?fields=reached_at", {})
    await shop.rest("GET", "/milestones/{id}")
    for _ in range(2):
        await shop.graphql('{ a: milestone(id: "{id}") { reachedAt } b: milestone(id: "{id}") { reachedAt } }')
    await shop.graphql("{ milestones { nodes { reachedAt nope } } }")
    expected = {("rest", REACH): 1, ("rest", FIELD): 1, ("graphql", FIELD): 2}
    assert await shop.counted() - before == Counter(expected)


async def test_access_line_names_what_was_used(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    await shop.rest("GET", "/milestones/{id}?fields=reached_at")
    await shop.rest("GET", "/milestones/{id}")
    used, plain = [json.loads(each) for each in capsys.readouterr().err.splitlines() if '"event":"request"' in each]
    assert used["deprecated"] == FIELD
    assert "deprecated" not in plain


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue.load(MODULES)


def test_openapi_marks_what_is_deprecated(catalogue: Catalogue) -> None:
    document = openapi_document(catalogue, title="", version="", prefix="")
    marked = {
        (path, method)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if operation.get("deprecated")
    }
    assert marked == {("/milestones/{id}/reach", "post")}
    schemas = document["components"]["schemas"]
    assert [n for n, each in schemas["Milestone"]["properties"].items() if each.get("deprecated")] == ["reached_at"]
    assert [n for n, each in schemas["MilestoneCreate"]["properties"].items() if each.get("deprecated")] == ["mood"]
    filters = schemas["MilestoneFilter"]["properties"]
    assert [n for n, each in filters.items() if each.get("deprecated")] == ["reached_at"]


def test_sdl_marks_what_is_deprecated(catalogue: Catalogue) -> None:
    found = re.findall(r"^\W*(\w+).*? @deprecated\(reason: \"(.*)\"\)", build_schema(catalogue).as_str(), re.MULTILINE)
    reached = (
        "Deprecated since 2026-01-01. Use the audit instead. It may be gone from 2027-07-01 on. "
        "See https://example.org/reached"
    )
    reach = "Deprecated since 2026-02-01. It may be gone from 2027-01-01 on. See https://example.org/reach"
    assert sorted(found) == sorted([
        ("reachedAt", reached), ("reachedAt", reached), ("REACHED_AT", reached), ("ReachMilestonePayload", reach),
        ("mood", "Deprecated since 2026-03-01."),
    ])  # fmt: skip


def test_members_have_one_name_on_both_faces(catalogue: Catalogue) -> None:
    assert set(catalogue.deprecations()) == {REACH, FIELD, MEMBER}


def test_entries_of_a_batch_are_uses_of_what_they_call(gateway: Gateway) -> None:
    batch, why = gateway.catalogue.operations["batch_labels"], Deprecation(since=date(2026, 1, 1))
    batch = replace(batch, entries={**batch.entries, "delete": replace(batch.entries["delete"], deprecated=why)})
    entries = [{"create": {"name": "x"}}, {"delete": {"id": "lbl_1"}}, {"delete": None}, "delete", None]
    assert set(_called(batch, {"operations": entries})) == {("delete_label", why)}
    assert not set(_called(batch, {"operations": entries[:1]}))
    assert not set(_called(batch, {"operations": {"delete": {}}}))
    one = cast("Catalogue", SimpleNamespace(operations={"batch_labels": batch}, resources={}))
    assert dict(_member_names(one)) == {("BatchLabelsOperation", "delete"): "delete_label"}


def test_deprecation_that_ends_before_it_begins_is_a_wrong_declaration() -> None:
    with pytest.raises(DeclarationError, match=r"test_deprecation\.py:\d+: a deprecation ends before it begins"):
        Deprecation(since=date(2026, 2, 1), sunset=date(2026, 1, 1))
    with pytest.raises(DeclarationError, match="is not a URI"):
        Deprecation(since=date(2026, 2, 1), link='https://example.org/>; rel="next"\r\nX: y')


def test_deprecated_member_must_be_one_that_can_be_left_out() -> None:
    class MilestoneRename(InputModel):
        """Another name."""

        name: Annotated[str, Deprecation(since=date(2026, 1, 1))]

    async def rename(call: Call, row: Milestone, data: MilestoneRename) -> Milestone:
        """Rename a milestone."""
        return row

    rename.__annotations__ |= {"data": MilestoneRename}
    with pytest.raises(DeclarationError, match='its deprecated member "name" is required'):
        milestones.action("rename")(rename)
