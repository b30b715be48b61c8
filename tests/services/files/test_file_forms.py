"""A file in one request: REST's form and GraphQL's are one thing, whoever sends it, whatever is wrong with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest

from gateway.settings import Settings
from services.catalogue.naming import camel
from tests.conftest import make_settings
from tests.support.accounts import Account
from tests.support.apps import Running, running
from tests.support.audit import recorded
from tests.support.faces import RestFace
from tests.support.factories import Team, make_key, make_team, make_workspace, unknown_id
from tests.support.uploads import PNG

UPLOAD = "mutation ($input: UploadFileInput!) { uploadFile(input: $input) { file { id name size } } }"


@pytest.fixture(scope="module")
async def on(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """A gateway both of whose faces take forms, and small quotas."""
    own = make_settings(
        DATABASE_URL=settings.database_url, REDIS_URL=settings.redis_url, GRAPHQL_UPLOADS=True, MAX_FILE_BYTES=500,
        FILES_QUOTA_BYTES=700, FILES_URL=tmp_path_factory.mktemp("forms").as_uri(),
    )  # fmt: skip
    async with running(own) as found:
        yield found


@pytest.fixture
def rest(on: Running) -> RestFace:
    return RestFace(on.client, on.gateway.catalogue)


@pytest.fixture
async def team(on: Running, rest: RestFace) -> Team:
    return await make_team(on.client, rest)


Told = tuple[str, list[tuple[str, str]]]


async def by_rest(client: httpx.AsyncClient, actor: Account | None, content: bytes, given: dict[str, Any]) -> Told:
    """The code of the problem, and what is wrong with which field; "" where the file is taken."""
    parts = [(name, (None, str(value))) for name, value in given.items()]
    file = ("file", ("engine.png", content, "image/png"))
    answer = await client.post("/api/v1/files", files=[*parts, file], headers=actor.headers if actor else {})
    told = answer.json()
    return told.get("code", ""), [(camel(each["field"]), each["code"]) for each in told.get("errors", [])]


async def by_graphql(client: httpx.AsyncClient, actor: Account | None, content: bytes, given: dict[str, Any]) -> Told:
    """The same."""
    variables = {"input": {"file": None, **{camel(name): value for name, value in given.items()}}}
    parts: list[tuple[str, Any]] = [
        ("operations", (None, orjson.dumps({"query": UPLOAD, "variables": variables}))),
        ("map", (None, b'{"0": ["variables.input.file"]}')),
        ("0", ("engine.png", content, "image/png")),
    ]
    headers = {**(actor.headers if actor else {}), "Apollo-Require-Preflight": "true"}
    told = (await client.post("/graphql", files=parts, headers=headers)).json()
    problem = told["errors"][0]["extensions"] if "errors" in told else {}
    return problem.get("code", ""), [(each["field"], each["code"]) for each in problem.get("errors", [])]


@pytest.fixture(params=[by_rest, by_graphql], ids=["rest", "graphql"])
def send(request: pytest.FixtureRequest) -> Any:
    """Each face's form in turn."""
    return request.param


async def files_of(rest: RestFace, team: Team) -> list[str]:
    found = await rest.ok("list_files", team.owner, filter={"workspace_id": team.id})
    return [each["name"] for each in found["data"]]


@pytest.mark.parametrize(
    ("role", "told"),
    [
        ("owner", ("", [])),
        ("editor", ("", [])),
        ("viewer", ("forbidden", [])),
        ("outsider", ("validation_failed", [("workspaceId", "not_found")])),
        ("nobody", ("unauthenticated", [])),
    ],
)
async def test_who_may_send_a_file(on: Running, rest: RestFace, team: Team, send: Any, role: str, told: Told) -> None:
    actor = None if role == "nobody" else team.account(role)
    assert await send(on.client, actor, PNG, {"workspace_id": team.id}) == told
    assert await files_of(rest, team) == ([] if told[0] else ["engine.png"])


async def test_a_key_needs_the_scope_and_its_workspace(on: Running, rest: RestFace, team: Team, send: Any) -> None:
    room = {"workspace_id": team.id}
    reader = await make_key(rest, team.owner, name="reads", scopes=["files:read"])
    assert await send(on.client, reader, PNG, room) == ("insufficient_scope", [])
    other = await make_workspace(rest, team.owner, "Other")
    bound = await make_key(rest, team.owner, name="bound", scopes=["files:write"], workspace_id=other["id"])
    assert await send(on.client, bound, PNG, room) == ("validation_failed", [("workspaceId", "not_found")])
    assert await files_of(rest, team) == []


@pytest.mark.parametrize(
    ("given", "field", "code"),
    [
        ({"name": "a/b"}, "name", "format"),
        ({"media_type": "nonsense"}, "mediaType", "format"),
        ({"media_type": "application/pdf"}, "mediaType", "conflict"),
        ({"sha256": "0" * 64}, "sha256", "conflict"),
        ({"size": len(PNG) - 1}, "size", "range"),
        ({"size": len(PNG) + 1}, "size", "range"),
        ({"size": 501}, "size", "range"),
        ({"workspace_id": "nonsense"}, "workspaceId", "format"),
        ({"workspace_id": unknown_id("wsp")}, "workspaceId", "not_found"),
    ],
)
async def test_what_is_wrong_is_told_by_its_field(
    on: Running, rest: RestFace, team: Team, send: Any, given: dict[str, Any], field: str, code: str
) -> None:
    said = {"workspace_id": team.id, **given}
    assert await send(on.client, team.owner, PNG, said) == ("validation_failed", [(field, code)])
    assert await files_of(rest, team) == []


async def test_bounds_of_size_and_quota_hold(on: Running, rest: RestFace, team: Team, send: Any) -> None:
    room = {"workspace_id": team.id, "name": "zeros.bin", "media_type": "application/octet-stream"}
    assert await send(on.client, team.owner, bytes(501), room) == ("validation_failed", [("size", "range")])
    assert await send(on.client, team.owner, bytes(400), {**room, "size": 400}) == ("", [])
    assert await send(on.client, team.owner, bytes(400), {**room, "size": 400}) == (
        "validation_failed", [("size", "quota")],
    )  # fmt: skip
    assert await files_of(rest, team) == ["zeros.bin"]


async def test_the_audit_has_both_steps(on: Running, team: Team, send: Any) -> None:
    async with recorded(on.gateway) as events:
        await send(on.client, team.owner, PNG, {"workspace_id": team.id})
    assert [each["operation"] for each in events] == ["create_file", "complete_file"]
    async with recorded(on.gateway) as events:
        await send(on.client, team.viewer, PNG, {"workspace_id": team.id})
    assert [(each["operation"], each["outcome"], each["problem"]) for each in events] == [
        ("create_file", "refused", "forbidden")
    ]
