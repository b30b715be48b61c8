"""Forms with a file on REST: what they may ask for, and what they may look like."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import Request

from gateway.settings import Settings
from services.catalogue import Deprecation, Problem
from services.engine.gateway import Gateway
from services.files.config import FilesConfig
from services.files.forms import MAX_AROUND_BYTES, MAX_FIELD_BYTES, MAX_FIELDS, form_events
from services.files.schemas import FileCreate
from tests.conftest import make_settings
from tests.support.accounts import Account, sign_up
from tests.support.apps import running
from tests.support.audit import event, recorded
from tests.support.faces import RestFace

HEAD = b"--b\r\nContent-Disposition: form-data; "
FILE = HEAD + b'name="file"; filename="a"\r\n\r\nabc\r\n--b--\r\n'


async def post(rest: RestFace, actor: Account, body: Any, query: str = "", **headers: str) -> httpx.Response:
    """Send a form."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    own = {**actor.headers, "Content-Type": "multipart/form-data; boundary=b", **given}
    return await rest.client.post(f"/api/v1/files{query}", content=body, headers=own)


async def nothing_is_left(rest: RestFace, actor: Account) -> None:
    assert (await rest.ok("list_files", actor, filter={"user_id": actor.id}))["data"] == []


@pytest.mark.parametrize("body", [FILE, b"no form, which nobody finds out"])
async def test_a_form_with_an_idempotency_key_is_refused_before_it_is_read(
    rest: RestFace, ada: Account, body: bytes
) -> None:
    answer = await post(rest, ada, body, Idempotency_Key="only-once")
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_unsupported")
    malformed = await post(rest, ada, body, Idempotency_Key='"')
    assert (malformed.status_code, "Idempotency-Key" in malformed.json()["detail"]) == (400, True)
    await nothing_is_left(rest, ada)


@pytest.mark.parametrize("query", ["?nonsense=1", "?fields=id", "?include=workspace"])
async def test_a_form_has_no_more_query_parameters_than_json(rest: RestFace, ada: Account, query: str) -> None:
    answer = await post(rest, ada, b"no form", query)
    json = await rest.send("POST", f"/files{query}", ada, content=b'{"name": "a", "size": 3}')
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert answer.json()["errors"] == json.json()["errors"]
    await nothing_is_left(rest, ada)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If_Match": '"x"'}, 412), ({"If_Match": "nonsense"}, 400), ({"If_None_Match": "*"}, 412),
        ({"If_Match": "*"}, 201), ({"If_None_Match": '"x"'}, 201),
    ],
)  # fmt: skip
async def test_a_form_is_as_conditional_as_json(
    rest: RestFace, ada: Account, headers: dict[str, str], status: int
) -> None:
    answer = await post(rest, ada, FILE, **headers)
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    json = await rest.send("POST", "/files", ada, content=b'{"name": "a", "size": 3}', headers=given)
    assert (answer.status_code, json.status_code) == (status, status)
    if status != 201:
        assert answer.json()["code"] == json.json()["code"]
        await nothing_is_left(rest, ada)


NOWHERE = {
    "empty lines": (b"", b"\r\n" * 1_000),
    "blanks behind a boundary": (HEAD + b'name="name"\r\n\r\nx\r\n--b', b" " * 2_000),
    "blanks behind the file": (FILE.removesuffix(b"--\r\n"), b"\t" * 2_000),
    "empty parts' headers": (b"", HEAD + b'name="name"\r\nX-Long: ' + b"x" * 4_000 + b"\r\n\r\n\r\n"),
}


async def endless(begun: bytes, piece: bytes) -> AsyncIterator[bytes]:
    yield begun
    while True:
        yield piece


@pytest.mark.parametrize("kind", NOWHERE)
async def test_what_is_around_the_parts_of_a_form_has_an_end(kind: str) -> None:
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        async for piece in endless(*NOWHERE[kind]):
            read += len(piece)
            yield piece

    with pytest.raises(Problem, match="around its parts"):
        async for _ in form_events(body(), b"b"):
            pass
    assert MAX_AROUND_BYTES < read < MAX_AROUND_BYTES + 5_000


async def test_a_form_that_never_comes_to_a_part_is_ended(rest: RestFace, ada: Account) -> None:
    answer = await post(rest, ada, endless(*NOWHERE["empty lines"]))
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    await nothing_is_left(rest, ada)


async def test_a_form_that_never_ends_behind_its_file_leaves_nothing(rest: RestFace, ada: Account) -> None:
    size = HEAD + b'name="size"\r\n\r\n3\r\n'
    answer = await post(rest, ada, endless(size + NOWHERE["blanks behind the file"][0], b"\t" * 2_000))
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    await nothing_is_left(rest, ada)


@pytest.mark.parametrize("begun", [b"", HEAD + b'name="name"\r\n\r\n'])
async def test_fields_that_trickle_in_are_ended(
    rest: RestFace, gateway: Gateway, ada: Account, begun: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts: Any = gateway.parts
    monkeypatch.setitem(parts, FilesConfig, replace(gateway.part(FilesConfig), idle_seconds=0.05))

    async def trickling() -> AsyncIterator[bytes]:
        async for piece in endless(begun, b"\n"):
            yield piece
            await asyncio.sleep(0.01)  # in time, each

    answer = await post(rest, ada, trickling())
    assert (answer.status_code, answer.json()["code"]) == (408, "upload_stalled")
    await nothing_is_left(rest, ada)


async def test_what_is_behind_the_end_is_no_part_of_a_form(rest: RestFace, ada: Account) -> None:
    answer = await post(rest, ada, FILE + bytes(100_000))
    assert (answer.status_code, answer.json()["size"]) == (201, 3)


@pytest.mark.parametrize("values", [(b"name", b"one", b"two"), (b"size", b"", b"3"), (b"media_type", b"text/", b"x")])
async def test_a_field_that_comes_twice_is_refused(rest: RestFace, ada: Account, values: tuple[bytes, ...]) -> None:
    name, *given = values
    fields = b"".join(HEAD + b'name="' + name + b'"\r\n\r\n' + each + b"\r\n" for each in given)
    answer = await post(rest, ada, fields + FILE)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert [(each["field"], each["code"]) for each in answer.json()["errors"]] == [(name.decode(), "conflict")]
    await nothing_is_left(rest, ada)


@pytest.mark.parametrize(
    "head", [b"--b\r\n", b"--b\r\nContent-Type: text/plain\r\n", HEAD + b'filename="a"\r\n', HEAD + b'name=""\r\n']
)  # fmt: skip
async def test_a_part_without_a_name_is_no_field(rest: RestFace, ada: Account, head: bytes) -> None:
    answer = await post(rest, ada, head + b"\r\nabc\r\n" + FILE)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    assert "must have a name" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("encoding", "status"),
    [(b"base64", 400), (b"Quoted-Printable", 400), (b"", 400), (b"Binary", 201), (b"8bit", 201), (b"7bit ", 201)],
)
async def test_parts_are_sent_as_they_are(rest: RestFace, ada: Account, encoding: bytes, status: int) -> None:
    head = HEAD + b'name="file"; filename="a"\r\nContent-Transfer-Encoding: ' + encoding
    answer = await post(rest, ada, head + b"\r\n\r\nYWJj\r\n--b--\r\n")
    assert answer.status_code == status, answer.text
    if status == 400:
        assert "Content-Transfer-Encoding" in answer.json()["detail"]
        await nothing_is_left(rest, ada)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (b'"a%22b.txt"', 'a"b.txt'), (b'"a\\"b.txt"', 'a"b.txt'), (b'"100%25.txt"', "100%25.txt"),
        (b'"a%2%220Db"', 'a%2"0Db'), (b'"\xe2\x82\xac%20.txt"', "\u20ac%20.txt"),
        (b'"a%0D%0AX: y"', None), (b'"a%0Ab"', None),
    ],
)  # fmt: skip
async def test_names_of_files_are_read_as_browsers_write_them(
    rest: RestFace, ada: Account, written: bytes, name: str | None
) -> None:
    answer = await post(rest, ada, HEAD + b'name="file"; filename=' + written + b"\r\n\r\nabc\r\n--b--\r\n")
    if name is not None:
        assert (answer.status_code, answer.json()["name"]) == (201, name)
        return
    errors = [(each["field"], each["code"]) for each in answer.json()["errors"]]
    assert (answer.status_code, errors) == (422, [("name", "format")])
    await nothing_is_left(rest, ada)


@pytest.mark.parametrize("size", [b"2", b"4"])
async def test_the_audit_tells_that_what_was_announced_is_gone(
    rest: RestFace, gateway: Gateway, ada: Account, size: bytes
) -> None:
    async with recorded(gateway) as events:
        answer = await post(rest, ada, HEAD + b'name="size"\r\n\r\n' + size + b"\r\n" + FILE)
    assert answer.status_code == 422
    place = {name: events[0][name] for name in ("resource", "workspace_id")}
    gone = {**place, "resource_id": events[0]["resource_id"]}
    assert events == [
        event(gateway, ada, "create_file", **gone, changed=events[0]["changed"]),
        event(gateway, ada, "delete_file", **gone),
    ]
    async with recorded(gateway) as events:
        assert (await post(rest, ada, FILE)).status_code == 201
    assert [each["operation"] for each in events] == ["create_file", "complete_file"]


async def test_whoever_leaves_while_sending_a_form_leaves_its_end_in_the_audit(
    app: FastAPI, rest: RestFace, gateway: Gateway, ada: Account
) -> None:
    begun = HEAD + b'name="size"\r\n\r\n9\r\n' + FILE.removesuffix(b"\r\n--b--\r\n")
    messages = iter([{"type": "http.request", "body": begun, "more_body": True}, {"type": "http.disconnect"}])

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        pytest.fail(f"Nobody is there: {message}")

    headers = {**ada.headers, "Content-Type": "multipart/form-data; boundary=b", "Host": "gateway.test"}
    scope = {
        "type": "http", "http_version": "1.1", "method": "POST", "path": "/api/v1/files", "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("192.0.2.1", 1),
    }  # fmt: skip
    async with recorded(gateway) as events:
        await app(scope, receive, send)
    assert [each["operation"] for each in events] == ["create_file", "delete_file"]
    await nothing_is_left(rest, ada)


async def test_a_form_is_not_read_to_find_what_is_deprecated(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = FileCreate.model_fields["sha256"]
    monkeypatch.setattr(name, "metadata", [*name.metadata, Deprecation(since=date(2026, 1, 1))])
    own = {"DATABASE_URL": settings.database_url, "REDIS_URL": settings.redis_url, "FILES_URL": tmp_path.as_uri()}
    async with running(make_settings(**own)) as found:
        rest, ada = RestFace(found.client, found.gateway.catalogue), await sign_up(found.client)

        async def body(self: Request) -> bytes:
            pytest.fail("The form is read whole.")

        digest = HEAD + b'name="sha256"\r\n\r\n' + sha256(b"abc").hexdigest().encode() + b"\r\n"
        with monkeypatch.context() as patch:
            patch.setattr(Request, "body", body)
            answers = [await post(rest, ada, form) for form in (FILE, digest + FILE, b"no form")]
        json = await rest.send("POST", "/files", ada, content=b'{"name": "a", "size": 3, "sha256": null}')
    told = [(each.status_code, each.headers.get("deprecation")) for each in (*answers, json)]
    assert told == [(201, None), (201, "@1767225600"), (400, None), (201, "@1767225600")]


async def test_a_field_has_an_end(rest: RestFace, ada: Account) -> None:
    for size in (MAX_FIELD_BYTES, MAX_FIELD_BYTES + 1):
        answer = await post(rest, ada, HEAD + b'name="name"\r\n\r\n' + b"x" * size + b"\r\n" + FILE)
        message = f"This has more than {MAX_FIELD_BYTES} bytes."
        assert (answer.status_code, message in answer.text) == (422, size > MAX_FIELD_BYTES)
    await nothing_is_left(rest, ada)


async def test_the_parts_of_a_form_are_counted() -> None:
    async def body(parts: int) -> AsyncIterator[bytes]:
        yield (HEAD + b'name="name"\r\n\r\nx\r\n') * parts + b"--b--\r\n"

    assert len({id(part) for part, _ in [each async for each in form_events(body(MAX_FIELDS), b"b")]}) == MAX_FIELDS
    with pytest.raises(Problem, match=f"at most {MAX_FIELDS} parts"):
        assert [each async for each in form_events(body(MAX_FIELDS + 1), b"b")]
