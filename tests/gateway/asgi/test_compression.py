"""Answers are compressed for those who say they can read them, and stay what they are for all others."""

from __future__ import annotations

import gzip
import random
import sys
from collections.abc import Callable
from typing import Final

import orjson
import pytest
from fastapi import FastAPI
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.asgi import compression
from gateway.asgi.compression import MINIMUM_BYTES, Compression
from gateway.asgi.faults import write_problem
from gateway.settings import Settings
from tests.support.accounts import Account
from tests.support.apps import client_from, make_app
from tests.support.asgi import Reply, request
from tests.support.faces import RestFace
from tests.support.factories import make_item

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

JSON: Final = "application/json"
LONG: Final = orjson.dumps({"data": [{"title": "Wheel", "number": each} for each in range(100)]})
READ: dict[str | None, Callable[[bytes], bytes]] = {
    None: lambda body: body,
    "gzip": gzip.decompress,
    "zstd": zstd.decompress,
}


def answering(body: bytes = LONG, status: int = 200, **headers: str) -> ASGIApp:
    """An application with one answer."""
    return Response(body, status, {name.replace("_", "-"): value for name, value in headers.items()}, JSON)


async def ask(app: ASGIApp, accepted: str | None = "gzip", method: str = "GET", **headers: str) -> Reply:
    """One request through the middleware."""
    asked = {**headers, **({"Accept-Encoding": accepted} if accepted is not None else {})}
    return await request(Compression(app, write_problem), method, "/x", headers=asked)


CHOICES: dict[str | None, str | None] = {
    None: None,
    "": None,
    "gzip": "gzip",
    "zstd": "zstd",
    "GZIP": "gzip",
    "x-gzip": "gzip",
    "gzip, deflate, br": "gzip",
    "gzip, deflate, br, zstd": "gzip",
    "br;q=1.0, zstd;q=1.0, gzip;q=0.8": "zstd",
    "zstd, gzip;q=0.9": "zstd",
    "zstd, *;q=0.5": "zstd",
    "zstd, x-gzip": "gzip",
    "zstd;q=0.5, gzip": "gzip",
    "gzip;q=0.5, zstd;q=0.5": "gzip",
    "*": "gzip",
    "*;q=0.1": "gzip",
    "gzip;q=0, *": "zstd",
    "zstd;q=0, *": "gzip",
    "gzip;q=0": None,
    "gzip;q=0.000, zstd;q=0": None,
    "br": None,
    "identity": None,
    "identity, gzip;q=0.5": None,
    "identity;q=0.5, gzip": "gzip",
    "identity;q=0, gzip": "gzip",
    "*;q=0, gzip": "gzip",
    "*;q=0, identity": None,
    "gzip;q=nonsense": None,
    ";;,=": None,
    "gzip;q=2, zstd;q=0.2": "zstd",
    "br, " * 200 + "gzip": None,
}


@pytest.mark.parametrize(("accepted", "coding"), CHOICES.items())
async def test_coding_is_chosen_by_weight(accepted: str | None, coding: str | None) -> None:
    reply = await ask(answering(), accepted)
    assert (reply.status, reply.headers.get("content-encoding")) == (200, coding)
    assert READ[coding](reply.content) == LONG
    assert reply.headers["content-length"] == str(len(reply.content))
    assert reply.headers["vary"] == "Accept-Encoding"
    assert reply.headers["content-type"] == JSON
    assert coding is None or len(reply.content) < len(LONG) / 4


@pytest.mark.parametrize(
    "accepted", ["identity;q=0", "*;q=0", "br, identity;q=0.0", "gzip;q=0, zstd;q=0, identity;q=0"]
)
async def test_nothing_is_done_for_those_who_can_read_nothing(accepted: str) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("it was asked")

    reply = await ask(app, accepted, "POST")
    assert (reply.status, reply.json()["code"]) == (406, "not_acceptable")


@pytest.mark.parametrize(("size", "coding"), [(MINIMUM_BYTES - 1, None), (MINIMUM_BYTES, "gzip")])
async def test_short_answers_are_left_alone(size: int, coding: str | None) -> None:
    reply = await ask(answering(b"x" * size))
    assert reply.headers.get("content-encoding") == coding
    assert ("vary" in reply.headers) == (coding is not None)
    assert READ[coding](reply.content) == b"x" * size


async def test_short_answers_are_compressed_for_those_who_take_nothing_else() -> None:
    reply = await ask(answering(b"xyz"), "gzip, identity;q=0")
    assert (reply.headers["content-encoding"], gzip.decompress(reply.content)) == ("gzip", b"xyz")
    empty = await ask(answering(b"", 204), "gzip, identity;q=0")
    assert (empty.status, empty.content, "content-encoding" in empty.headers) == (204, b"", False)


async def test_what_compression_makes_no_shorter_stays_as_it_is() -> None:
    noise = random.Random(7).randbytes(2 * MINIMUM_BYTES)  # noqa: S311 - nothing is kept secret with it
    reply = await ask(answering(noise))
    assert (reply.content, "content-encoding" in reply.headers) == (noise, False)
    assert reply.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize("accepted", ["gzip", "zstd, identity;q=0"])
@pytest.mark.parametrize(
    "app",
    [
        answering(content_type="text/event-stream"),
        answering(content_type="multipart/mixed; boundary=x"),
        answering(content_type="image/png"),
        answering(content_encoding="br"),
        answering(cache_control="no-transform"),
        answering(accept_ranges="bytes"),
        answering(status=206, content_range="bytes 0-9/10"),
    ],
)
async def test_what_is_encoded_or_no_text_is_left_alone(app: ASGIApp, accepted: str) -> None:
    reply = await ask(app, accepted)
    assert reply.content == LONG
    assert reply.headers.get("content-encoding") in (None, "br")


@pytest.mark.parametrize("more", [[], [(b"content-length", str(2 * len(LONG)).encode())]])
async def test_streams_are_left_alone(more: list[tuple[bytes, bytes]]) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"application/json"), *more]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": LONG, "more_body": True})
        await send({"type": "http.response.body", "body": LONG})

    reply = await ask(app)
    assert (reply.content, "content-encoding" in reply.headers) == (LONG + LONG, False)


@pytest.mark.parametrize(
    "kind", ["application/problem+json", "application/graphql-response+json", "text/html; charset=utf-8"]
)
async def test_texts_of_all_kinds_are_compressed(kind: str) -> None:
    reply = await ask(answering(content_type=kind))
    assert (reply.headers["content-encoding"], reply.headers["content-type"]) == ("gzip", kind)


async def test_head_has_the_headers_of_get() -> None:
    get, head = await ask(answering()), await ask(answering(), method="HEAD")
    assert head.headers == get.headers


async def test_large_answers_are_compressed_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "MAX_INLINE_BYTES", MINIMUM_BYTES)
    for coding in ("gzip", "zstd"):
        assert READ[coding]((await ask(answering(), coding)).content) == LONG


async def test_answer_without_its_body_is_let_out() -> None:
    start = {"type": "http.response.start", "status": 200, "headers": [
        (b"content-length", b"5000"), (b"content-type", b"application/json"),
    ]}  # fmt: skip

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start)

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        raise AssertionError("nobody asks")

    scope = {"type": "http", "method": "GET", "headers": [(b"accept-encoding", b"gzip")]}
    await Compression(app, write_problem)(scope, receive, send)
    assert sent == [start]


async def tagged(scope: Scope, receive: Receive, send: Send) -> None:
    """An application with an entity-tag, which tells what conditions it saw."""
    seen = {n.decode(): v.decode() for n, v in scope["headers"] if n.startswith(b"if-")}
    headers = {"ETag": '"abc"', "X-Seen": orjson.dumps(seen).decode()}
    if seen.get("if-none-match") in ('"abc"', 'W/"abc"'):
        await Response(None, 304, headers)(scope, receive, send)
    else:
        await Response(LONG, 200, headers, JSON)(scope, receive, send)


@pytest.mark.parametrize(("accepted", "tag"), [("gzip", '"abc-gzip"'), ("zstd", '"abc-zstd"'), (None, '"abc"')])
async def test_each_coding_has_an_entity_tag_of_its_own(accepted: str | None, tag: str) -> None:
    first = await ask(tagged, accepted)
    assert (first.status, first.headers["etag"]) == (200, tag)
    again = await ask(tagged, accepted, **{"If-None-Match": tag})
    assert (again.status, again.headers["etag"], again.content) == (304, tag, b"")
    assert again.headers["vary"] == first.headers["vary"] == "Accept-Encoding"


async def test_entity_tag_of_another_coding_does_not_match() -> None:
    for accepted, tag in (("gzip", '"abc-zstd"'), (None, '"abc-gzip"'), ("identity", '"abc-zstd"')):
        assert (await ask(tagged, accepted, **{"If-None-Match": tag})).status == 200


@pytest.mark.parametrize(
    ("presented", "tag"),
    [('"abc"', '"abc"'), ('"abc-zstd", "abc"', '"abc"'), ('"abc", "abc-gzip"', '"abc-gzip"'), ("*", '"abc"')],
)
async def test_uncompressed_entity_tag_is_borne_by_the_304_to_it(presented: str, tag: str) -> None:
    async def known(scope: Scope, receive: Receive, send: Send) -> None:
        await Response(None, 304, {"ETag": '"abc"'})(scope, receive, send)

    reply = await ask(known, "gzip", **{"If-None-Match": presented})
    assert (reply.status, reply.headers["etag"], reply.content) == (304, tag, b"")


async def test_weak_entity_tags_stay_weak() -> None:
    reply = await ask(answering(etag='W/"abc"'))
    assert (reply.headers["content-encoding"], reply.headers["etag"]) == ("gzip", 'W/"abc"')
    assert (await ask(tagged, **{"If-None-Match": 'W/"abc-gzip"'})).status == 304


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ('"abc-gzip"', '"abc"'),
        ('"abc-zstd", "d-gzip"', '"abc", "d"'),
        ('"abc"', '"abc"'),
        ("*", "*"),
        ('"abc-br"', '"abc-br"'),
        ('"abc-gzip-gzip"', '"abc-gzip"'),
        ('"-gzip"', '""'),
    ],
)
async def test_condition_on_a_write_is_about_the_row_whatever_its_coding(given: str, seen: str) -> None:
    for accepted in ("gzip", None):
        reply = await ask(tagged, accepted, "PATCH", **{"If-Match": given})
        assert orjson.loads(reply.headers["x-seen"]) == {"if-match": seen}


async def test_both_faces_compress_and_say_the_same(app: FastAPI, rest: RestFace, ada: Account) -> None:
    for _ in range(8):
        await make_item(rest, ada, description="Of brass, with teeth. " * 10)
    body = orjson.dumps({"query": "{ items { nodes { id title description createdAt } } }"})
    json = {**ada.headers, "Content-Type": JSON}
    for method, path, content in (
        ("GET", "/api/v1/items", b""),
        ("QUERY", "/api/v1/items", b"{}"),
        ("POST", "/graphql", body),
    ):
        plain = await request(app, method, path, headers=json, content=content)
        assert plain.status == 200
        assert "content-encoding" not in plain.headers
        for coding in ("gzip", "zstd"):
            reply = await request(app, method, path, headers={**json, "Accept-Encoding": coding}, content=content)
            assert reply.headers["content-encoding"] == coding
            assert READ[coding](reply.content) == plain.content
            assert len(reply.content) < len(plain.content) / 2


async def test_setting_switches_it_off(settings: Settings) -> None:
    app = make_app(settings.model_copy(update={"COMPRESSION": False}))
    async with client_from(app) as client:
        answer = await client.get("/api/v1/openapi.json", headers={"Accept-Encoding": "gzip, zstd, identity;q=0"})
        assert answer.status_code == 200
        assert {"content-encoding", "vary"} & set(answer.headers) == set()


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [("gzip, deflate, br, zstd", "zstd"), ("*", "zstd"), ("gzip, zstd;q=0.9", "gzip"), ("gzip", "gzip")],
)
async def test_zstd_can_be_preferred_for_those_who_do_not_care(accepted: str, coding: str) -> None:
    app = Compression(answering(), write_problem, prefers="zstd")
    reply = await request(app, "GET", "/x", headers={"Accept-Encoding": accepted})
    assert (reply.headers["content-encoding"], READ[coding](reply.content)) == (coding, LONG)
