"""Files in GraphQL requests: the multipart request specification, as `GRAPHQL_UPLOADS` allows it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from hashlib import sha256
from typing import Any

import httpx
import orjson
import pytest

from gateway.settings import Settings
from services.execution import Gateway
from services.files.config import FilesConfig
from tests.conftest import make_settings
from tests.support.accounts import Account, sign_up
from tests.support.apps import Running, running
from tests.support.audit import recorded
from tests.support.faces import GraphQLFace, RestFace
from tests.support.factories import make_workspace
from tests.support.uploads import PNG, fetch

UPLOAD = "mutation ($file: ID!) { completeFile(input: {id: $file}) { file { id name size sha256 mediaType state } } }"
TWO = "mutation ($file: ID!) { logout { ok } completeFile(input: {id: $file}) { file { id } } }"
WITH_KEY = 'mutation ($file: ID!) { completeFile(input: {id: $file}, idempotencyKey: "k") { file { id } } }'
SKIPPED = "mutation ($file: ID!) { completeFile(input: {id: $file}) @skip(if: true) { file { id } } }"
BY_INPUT = "mutation ($input: CompleteFileInput!) { completeFile(input: $input) { file { id } } }"
MARK = {"Apollo-Require-Preflight": "true"}
MAP = {"0": ["variables.file"]}


@pytest.fixture(scope="module")
async def on(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """A gateway that takes forms."""
    own = make_settings(
        DATABASE_URL=settings.database_url, REDIS_URL=settings.redis_url, GRAPHQL_UPLOADS=True, MAX_BODY_BYTES=10_000,
        FILES_URL=tmp_path_factory.mktemp("uploads").as_uri(),
    )  # fmt: skip
    async with running(own) as found:
        yield found


@pytest.fixture
async def bob(on: Running) -> Account:
    return await sign_up(on.client)


def form(
    content: bytes = PNG, query: str = UPLOAD, mapped: Any = MAP, variables: Any = None, **more: Any
) -> list[tuple[str, Any]]:
    operations = {"query": query, "variables": {"file": None} if variables is None else variables, **more}
    return [
        ("operations", (None, orjson.dumps(operations))), ("map", (None, orjson.dumps(mapped))),
        ("0", ("engine.png", content, "image/png")),
    ]  # fmt: skip


OTHER = form(
    query="mutation ($file: String, $other: ID!) { completeFile(input: {id: $other, expectedVersion: $file}) "
    "{ file { id } } }",
    variables={"file": None, "other": "fil_00000000000000000000000000000000"},
)
"""Completes another file than the one that is sent."""


async def post(
    client: httpx.AsyncClient, actor: Account | None, files: list[tuple[str, Any]], **headers: str
) -> httpx.Response:
    own = {**(actor.headers if actor else {}), **MARK, **{k.replace("_", "-"): v for k, v in headers.items()}}
    return await client.post("/graphql", headers=own, files=files)


async def nothing_is_left(on: Running, actor: Account) -> None:
    rest = RestFace(on.client, on.gateway.catalogue)
    assert (await rest.ok("list_files", actor, filter={"user_id": actor.id}))["data"] == []


def code(answer: httpx.Response) -> str:
    return str(answer.json()["errors"][0]["extensions"]["code"])


async def test_a_file_is_sent_and_completed_by_one_mutation(on: Running, bob: Account) -> None:
    answer = await post(on.client, bob, form())
    assert answer.status_code == 200, answer.text
    row = answer.json()["data"]["completeFile"]["file"]
    assert row == {
        "id": row["id"], "name": "engine.png", "size": len(PNG), "sha256": sha256(PNG).hexdigest(),
        "mediaType": "image/png", "state": "COMPLETE",
    }  # fmt: skip
    assert (await fetch(RestFace(on.client, on.gateway.catalogue), bob, row["id"])).content == PNG


async def test_more_is_said_in_the_extension_and_the_path_may_be_deeper(on: Running, bob: Account) -> None:
    rest = RestFace(on.client, on.gateway.catalogue)
    room = await make_workspace(rest, bob)
    content = bytes(20_000)  # more than other bodies may have
    said = {
        "workspaceId": room["id"], "name": "zeros.bin", "mediaType": "application/octet-stream", "size": len(content),
        "sha256": sha256(content).hexdigest(),
    }  # fmt: skip
    sent = form(content, BY_INPUT, {"0": ["variables.input.id"]}, {"input": {"id": None}}, extensions={"file": said})
    answer = await post(on.client, bob, sent)
    id = answer.json()["data"]["completeFile"]["file"]["id"]
    row = await rest.ok("get_file", bob, id=id)
    assert {name: row[name] for name in ("name", "size", "workspace_id", "media_type")} == {
        "name": "zeros.bin", "size": 20_000, "workspace_id": room["id"], "media_type": "application/octet-stream",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("sent", "status", "problem"),
    [
        (form(query="{ me { id } }", variables={"file": None}), 400, "bad_request"),
        (form(query="mutation ($file: ID!) { deleteFile(input: {id: $file}) { id } }"), 400, "bad_request"),
        (form(query=TWO), 400, "bad_request"),
        (form(query=SKIPPED), 400, "bad_request"),
        (form(query=SKIPPED.replace("@skip", "@include")), 400, "bad_request"),
        (form(query=WITH_KEY), 422, "idempotency_unsupported"),
        (form(query="mutation ($file: ID!) { nonsense }"), 200, "invalid_document"),
        (form(mapped={}), 400, "bad_request"),
        (form(mapped={"0": ["variables.file", "variables.file"]}), 400, "bad_request"),
        (form(mapped={"1": ["variables.file"]}), 400, "bad_request"),
        (form(mapped={"0": ["variables.other"]}), 400, "bad_request"),
        (form(mapped={"0": ["query"]}), 400, "bad_request"),
        (form(variables={"file": "something"}), 400, "bad_request"),
        (form(extensions={"file": 1}), 400, "bad_request"),
        (form(extensions={"file": {"nonsense": 1}}), 422, "validation_failed"),
        (form(extensions={"file": {"media_type": "image/png"}}), 422, "validation_failed"),
        (form(extensions={"file": {"sha256": "0" * 64}}), 422, "validation_failed"),
        (form(extensions={"file": {"size": 9}}), 422, "validation_failed"),
        (form(b"<html></html>"), 422, "validation_failed"),
        ([("operations", (None, b"[{}, {}]")), *form()[1:]], 400, "bad_request"),
        ([("operations", (None, b"{")), *form()[1:]], 400, "bad_request"),
        ([("operations", (None, b'{"query": "{ a }", "query": "{ b }"}')), *form()[1:]], 400, "bad_request"),
        (
            [form()[0], ("map", (None, b'{"0": [], "0": ["variables.file"]}')), form()[2]],
            400,
            "bad_request",
        ),
        ([("operations", (None, b" " * 300_000)), *form()[1:]], 400, "bad_request"),
        (form()[:2], 400, "bad_request"),
        ([form()[2], *form()[:2]], 400, "bad_request"),
        ([*form(), ("1", ("b.png", PNG, "image/png"))], 400, "bad_request"),
    ],
)
async def test_what_is_wrong_leaves_nothing(
    on: Running, bob: Account, sent: list[tuple[str, Any]], status: int, problem: str
) -> None:
    answer = await post(on.client, bob, sent)
    assert (answer.status_code, bool(answer.json()["errors"])) == (status, True), answer.text
    if problem:
        assert code(answer) == problem
    await nothing_is_left(on, bob)


async def test_who_may_not_sends_nothing(on: Running, bob: Account) -> None:
    other = await sign_up(on.client)
    room = await make_workspace(RestFace(on.client, on.gateway.catalogue), other)
    assert code(await post(on.client, None, form())) == "unauthenticated"
    refused = await post(on.client, bob, form(extensions={"file": {"workspaceId": room["id"]}}))
    assert (refused.status_code, code(refused)) == (422, "validation_failed")
    await nothing_is_left(on, bob)
    await nothing_is_left(on, other)


async def test_another_file_than_the_one_sent_is_not_kept(on: Running, bob: Account) -> None:
    answer = await post(on.client, bob, OTHER)
    assert code(answer) == "not_found"
    await nothing_is_left(on, bob)


async def test_the_audit_tells_what_becomes_of_a_file_that_is_not_kept(on: Running, bob: Account) -> None:
    for sent in (form(b"<html></html>"), OTHER):
        async with recorded(on.gateway) as events:
            assert (await post(on.client, bob, sent)).json()["errors"]
        told = [(each["operation"], each["outcome"], each["user_id"]) for each in events]
        assert told == [("create_file", "done", bob.key), ("delete_file", "done", bob.key)]
        assert events[1]["resource"] == "file"
    async with recorded(on.gateway) as events:
        await post(on.client, bob, form())
    assert [each["operation"] for each in events] == ["create_file", "complete_file"]


async def test_a_document_that_is_named_takes_a_file(on: Running, bob: Account) -> None:
    digest = sha256(UPLOAD.encode()).hexdigest()
    persisted = {"persistedQuery": {"version": 1, "sha256Hash": digest}}
    for query in (UPLOAD, ""):
        answer = await post(on.client, bob, form(query=query, extensions=persisted))
        assert answer.json()["data"]["completeFile"]["file"]["size"] == len(PNG), answer.text


@pytest.mark.parametrize("name", ["X-Apollo-Operation-Name", "Apollo-Require-Preflight", "X-Requested-With", ""])
async def test_a_form_has_a_header_that_browsers_ask_leave_for(on: Running, bob: Account, name: str) -> None:
    headers = {**bob.headers, **({name: "x"} if name else {})}
    answer = await on.client.post("/graphql", headers=headers, files=form())
    assert answer.status_code == (200 if name else 403)
    if not name:
        assert code(answer) == "csrf_suspected"
        await nothing_is_left(on, bob)


@pytest.mark.parametrize(
    ("headers", "status", "problem"),
    [
        ({"Accept": "text/event-stream"}, 406, "not_acceptable"),
        ({"Idempotency_Key": "once"}, 422, "idempotency_unsupported"),
        ({"X_Dry_Run": "cost"}, 400, "bad_request"),
    ],
)
async def test_what_forms_cannot_do_is_refused(
    on: Running, bob: Account, headers: dict[str, str], status: int, problem: str
) -> None:
    answer = await post(on.client, bob, form(), **headers)
    assert (answer.status_code, code(answer)) == (status, problem)
    await nothing_is_left(on, bob)


@pytest.mark.parametrize("end", [0, 100, -500])
async def test_a_form_that_stalls_leaves_nothing(
    on: Running, bob: Account, end: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts: Any = on.gateway.parts
    monkeypatch.setitem(parts, FilesConfig, replace(on.gateway.part(FilesConfig), idle_seconds=0.05))
    sent = form(bytes(1_000), extensions={"file": {"size": 1_000}})
    whole = httpx.Request("POST", "http://gateway.test/graphql", files=sent)

    async def stalled() -> AsyncIterator[bytes]:
        yield whole.read()[:end]
        await asyncio.Event().wait()

    headers = {**bob.headers, **MARK, "Content-Type": whole.headers["content-type"]}
    answer = await on.client.post("/graphql", content=stalled(), headers=headers)
    assert (answer.status_code, code(answer)) == (408, "upload_stalled")
    await nothing_is_left(on, bob)


@pytest.mark.parametrize(("seconds", "status"), [(30.0, 400), (0.05, 408)])
async def test_a_form_that_never_comes_to_a_part_is_ended(
    on: Running, bob: Account, seconds: float, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts: Any = on.gateway.parts
    monkeypatch.setitem(parts, FilesConfig, replace(on.gateway.part(FilesConfig), idle_seconds=seconds))

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"\r\n" * (1_000 if status == 400 else 1)
            await asyncio.sleep(0 if status == 400 else 0.01)

    headers = {**bob.headers, **MARK, "Content-Type": "multipart/form-data; boundary=b"}
    answer = await on.client.post("/graphql", content=endless(), headers=headers)
    assert answer.status_code == status, answer.text
    await nothing_is_left(on, bob)


async def test_forms_are_switched_off_at_first(graphql: GraphQLFace, gateway: Gateway, ada: Account) -> None:
    answer = await post(graphql.client, ada, form())
    assert (answer.status_code, code(answer)) == (415, "unsupported_media_type")
    assert "GRAPHQL_UPLOADS" in answer.json()["errors"][0]["message"]
    assert (await graphql.ok("list_files", ada, filter={"user_id": ada.id}))["data"] == []
