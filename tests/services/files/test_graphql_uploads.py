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
from services.engine.gateway import Gateway
from services.files.config import FilesConfig
from tests.conftest import make_settings
from tests.support.accounts import Account, sign_up
from tests.support.apps import Running, running
from tests.support.audit import recorded
from tests.support.documents import document, forget_all, hash_of, register
from tests.support.faces import GraphQLFace, RestFace
from tests.support.factories import make_workspace
from tests.support.sockets import connected, subscribe
from tests.support.uploads import PNG, fetch

UPLOAD = (
    "mutation ($file: Upload!, $name: String, $type: String, $size: Int, $sha: String, $room: ID) { uploadFile(input: "
    "{file: $file, name: $name, mediaType: $type, size: $size, sha256: $sha, workspaceId: $room}) "
    "{ file { id name size sha256 mediaType state } } }"
)
ONE = "mutation ($file: Upload!) { uploadFile(input: {file: $file}) { file { id } } }"
TWO = ONE.replace("{ uploadFile", "{ logout { ok } uploadFile", 1)
TWICE = ONE.replace("{ uploadFile", "{ again: uploadFile(input: {file: $file}) { file { id } } uploadFile", 1)
SKIPPED = ONE.replace("$file})", "$file}) @skip(if: true)")
BY_INPUT = "mutation ($input: UploadFileInput!) { uploadFile(input: $input) { file { id } } }"
NO_FILE = "This must be a file of a form: see the GraphQL multipart request specification."
MARK = {"Apollo-Require-Preflight": "true"}
MAP = {"0": ["variables.file"]}


@pytest.fixture(scope="module")
def uploading(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a gateway that takes forms."""
    return make_settings(
        DATABASE_URL=settings.database_url, REDIS_URL=settings.redis_url, GRAPHQL_UPLOADS=True, MAX_BODY_BYTES=10_000,
        FILES_URL=tmp_path_factory.mktemp("uploads").as_uri(),
    )  # fmt: skip


@pytest.fixture(scope="module")
async def on(uploading: Settings) -> AsyncIterator[Running]:
    """A gateway that takes forms."""
    async with running(uploading) as found:
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


def said(**more: Any) -> list[tuple[str, Any]]:
    """A form whose input says more than its file does."""
    return form(variables={"file": None, **more})


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
    row = answer.json()["data"]["uploadFile"]["file"]
    assert row == {
        "id": row["id"], "name": "engine.png", "size": len(PNG), "sha256": sha256(PNG).hexdigest(),
        "mediaType": "image/png", "state": "COMPLETE",
    }  # fmt: skip
    assert (await fetch(RestFace(on.client, on.gateway.catalogue), bob, row["id"])).content == PNG


async def test_more_is_said_in_the_input_which_may_be_one_variable(on: Running, bob: Account) -> None:
    rest = RestFace(on.client, on.gateway.catalogue)
    room = await make_workspace(rest, bob)
    content = bytes(20_000)  # more than other bodies may have
    given = {
        "file": None, "workspaceId": room["id"], "name": "zeros.bin", "mediaType": "application/octet-stream",
        "size": len(content), "sha256": sha256(content).hexdigest(),
    }  # fmt: skip
    answer = await post(on.client, bob, form(content, BY_INPUT, {"0": ["variables.input.file"]}, {"input": given}))
    id = answer.json()["data"]["uploadFile"]["file"]["id"]
    row = await rest.ok("get_file", bob, id=id)
    assert {name: row[name] for name in ("name", "size", "workspace_id", "media_type")} == {
        "name": "zeros.bin", "size": 20_000, "workspace_id": room["id"], "media_type": "application/octet-stream",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("sent", "status", "problem", "field"),
    [
        (form(query="{ me { id } }", variables={"file": None}), 400, "bad_request", None),
        (form(query="mutation ($file: ID!) { deleteFile(input: {id: $file}) { id } }"), 400, "bad_request", None),
        (form(query=TWO), 400, "bad_request", None),
        (form(query=TWICE), 400, "bad_request", None),
        (form(query=SKIPPED), 400, "bad_request", None),
        (form(query=SKIPPED.replace("@skip", "@include")), 400, "bad_request", None),
        (form(query=f"{ONE} fragment X on File {{ id }}"), 200, "invalid_document", None),
        (form(query="mutation ($file: Upload!) { nonsense }"), 200, "invalid_document", None),
        (form(query=ONE.replace("Upload!", "ID!")), 200, "invalid_document", None),
        (form(mapped={}), 400, "bad_request", None),
        (form(mapped={"0": ["variables.file", "variables.file"]}), 400, "bad_request", None),
        (form(mapped={"0": ["variables.file"], "1": ["variables.name"]}), 400, "bad_request", None),
        (form(mapped={"1": ["variables.file"]}), 400, "bad_request", None),
        (form(mapped={"0": ["variables.other"]}), 400, "bad_request", None),
        (form(mapped={"0": ["query"]}), 400, "bad_request", None),
        (form(variables={"file": "something"}), 400, "bad_request", None),
        (form(mapped={"0": ["variables.x"]}, variables={"file": "x", "x": None}), 200, "validation_failed", "file"),
        (said(sha="0" * 64), 200, "validation_failed", "sha256"),
        (said(size=9), 200, "validation_failed", "size"),
        (said(size=-1), 200, "validation_failed", "size"),
        (said(size="9"), 200, "validation_failed", "size"),
        (said(name="a/b"), 200, "validation_failed", "name"),
        (said(name=None), 200, "validation_failed", "name"),
        (said(type="nonsense"), 200, "validation_failed", "mediaType"),
        (said(room="nonsense"), 200, "validation_failed", "workspaceId"),
        (form(b"<html></html>"), 200, "validation_failed", "mediaType"),
        ([("operations", (None, b"[{}, {}]")), *form()[1:]], 400, "bad_request", None),
        ([("operations", (None, b"{")), *form()[1:]], 400, "bad_request", None),
        ([("operations", (None, b'{"query": "{ a }", "query": "{ b }"}')), *form()[1:]], 400, "bad_request", "query"),
        (
            [form()[0], ("map", (None, b'{"0": [], "0": ["variables.file"]}')), form()[2]],
            400,
            "bad_request",
            "0",
        ),
        ([("operations", (None, b" " * 300_000)), *form()[1:]], 400, "bad_request", None),
        (form()[:2], 400, "bad_request", None),
        ([form()[2], *form()[:2]], 400, "bad_request", None),
        ([*form(), ("1", ("b.png", PNG, "image/png"))], 400, "bad_request", None),
    ],
)
async def test_what_is_wrong_leaves_nothing(
    on: Running, bob: Account, sent: list[tuple[str, Any]], status: int, problem: str, field: str | None
) -> None:
    answer = await post(on.client, bob, sent)
    assert (answer.status_code, code(answer)) == (status, problem), answer.text
    errors = answer.json()["errors"][0]["extensions"].get("errors")
    assert (errors[0]["field"] if errors else None) == field
    await nothing_is_left(on, bob)


async def test_who_may_not_sends_nothing(on: Running, bob: Account) -> None:
    other = await sign_up(on.client)
    room = await make_workspace(RestFace(on.client, on.gateway.catalogue), other)
    assert code(await post(on.client, None, form())) == "unauthenticated"
    refused = await post(on.client, bob, said(room=room["id"]))
    assert code(refused) == "validation_failed"
    await nothing_is_left(on, bob)
    await nothing_is_left(on, other)


async def test_what_is_refused_before_the_file_does_not_wait_for_it(on: Running, bob: Account) -> None:
    whole = httpx.Request("POST", "http://gateway.test/graphql", files=form(bytes(1_000)))
    beginning = whole.read()[:-900]

    async def never_ending() -> AsyncIterator[bytes]:
        yield beginning
        await asyncio.Event().wait()

    headers = {**MARK, "Content-Type": whole.headers["content-type"]}
    answer = await on.client.post("/graphql", content=never_ending(), headers=headers)
    assert code(answer) == "unauthenticated"


async def test_the_audit_tells_what_becomes_of_a_file_that_is_not_kept(on: Running, bob: Account) -> None:
    async with recorded(on.gateway) as events:
        assert (await post(on.client, bob, form(b"<html></html>"))).json()["errors"]
    told = [(each["operation"], each["outcome"], each["user_id"]) for each in events]
    assert told == [("create_file", "done", bob.key), ("delete_file", "done", bob.key)]
    assert events[1]["resource"] == "file"
    async with recorded(on.gateway) as events:
        await post(on.client, bob, form())
    assert [each["operation"] for each in events] == ["create_file", "complete_file"]


@pytest.mark.parametrize(
    ("query", "variables", "words"),
    [
        (ONE, {"file": "aGVsbG8="}, NO_FILE),
        (ONE, {"file": {}}, NO_FILE),
        (ONE, {"file": None}, "This field is required."),
        (ONE, {}, "This field is required."),
        (
            BY_INPUT,
            {"input": {"file": 1}},
            NO_FILE,
        ),
        (
            'mutation { uploadFile(input: {file: "x"}) { file { id } } }',
            {},
            NO_FILE,
        ),
    ],
)
async def test_json_has_no_files(on: Running, bob: Account, query: str, variables: dict[str, Any], words: str) -> None:
    for headers in (bob.headers, {**bob.headers, "X-Dry-Run": "cost"}, {**bob.headers, "Idempotency-Key": "once"}):
        asked = {"query": query, "variables": variables}
        answer = await on.client.post("/graphql", json=asked, headers=headers)
        assert code(answer) == "validation_failed", answer.text
        (error,) = answer.json()["errors"][0]["extensions"]["errors"]
        assert (error["field"], error["message"]) == ("file", words)
    await nothing_is_left(on, bob)


async def test_no_other_transport_has_files(on: Running, bob: Account) -> None:
    asked = {"query": ONE, "variables": {"file": "x"}}
    headers = {**bob.headers, "Accept": "text/event-stream"}
    events = await on.client.post("/graphql", json=asked, headers=headers)
    assert NO_FILE in events.text
    got = await on.client.get("/graphql", params={"query": ONE, "variables": '{"file": "x"}'}, headers=bob.headers)
    assert (got.status_code, code(got)) == (405, "method_not_allowed")
    async with connected(on.app, bob.headers) as socket:
        socket.send(subscribe("send", ONE, {"file": "x"}))
        told = await socket.receive()
    assert NO_FILE in orjson.dumps(told).decode()
    await nothing_is_left(on, bob)


async def test_a_trusted_document_takes_a_file_and_no_other_does(uploading: Settings, bob: Account) -> None:
    async with running(uploading.model_copy(update={"GRAPHQL_DOCUMENTS": "trusted"})) as trusted:
        await register(trusted, document(ONE, "Send", kind="mutation"))
        try:
            taken = await post(trusted.client, bob, form(query="", documentId=hash_of(ONE)))
            refused = await post(trusted.client, bob, form(query=UPLOAD))
        finally:
            await forget_all(trusted)
    assert taken.json()["data"]["uploadFile"]["file"]["id"].startswith("fil_")
    assert code(refused) == "document_refused"


async def test_the_form_costs_what_it_costs_on_rest(on: Running, bob: Account) -> None:
    sent = form(query=ONE, extensions={"cost": True})
    answer = await post(on.client, bob, sent)
    assert answer.json()["extensions"]["cost"] == on.gateway.catalogue.operations["create_file"].cost


async def test_a_document_that_is_named_takes_a_file(on: Running, bob: Account) -> None:
    digest = sha256(UPLOAD.encode()).hexdigest()
    persisted = {"persistedQuery": {"version": 1, "sha256Hash": digest}}
    for query in (UPLOAD, ""):
        answer = await post(on.client, bob, form(query=query, extensions=persisted))
        assert answer.json()["data"]["uploadFile"]["file"]["size"] == len(PNG), answer.text


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
    sent = form(bytes(1_000), variables={"file": None, "size": 1_000})
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
