"""Bodies that are too long or compressed are refused with a Problem, whatever the application does with them."""

from collections.abc import AsyncIterator

import pytest
from httpx import ASGITransport, AsyncClient, Response
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.responses import Response as Answer
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from gateway.asgi.bodies import BodyGuard
from gateway.asgi.faults import write_problem

LIMIT = 100


async def echo(request: Request) -> Answer:
    return Answer(await request.body())


async def deaf(request: Request) -> Answer:
    return PlainTextResponse("not read")


async def swallows(request: Request) -> Answer:
    try:
        await request.body()
    except Exception:  # noqa: BLE001 - as careless faces do
        return PlainTextResponse("swallowed", status_code=400)
    return PlainTextResponse("read")


app = Starlette(
    routes=[Route(f"/{handler.__name__}", handler, methods=["POST"]) for handler in (echo, deaf, swallows)],
    middleware=[Middleware(BodyGuard, max_body_bytes=LIMIT, write=write_problem)],
)


@pytest.fixture
async def client() -> AsyncIterator[AsyncClient]:
    async with AsyncClient(transport=ASGITransport(app), base_url="http://gateway") as client:
        yield client


def problem(answer: Response) -> tuple[int, str, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"], answer.json()["detail"]


async def in_parts(total: int, size: int = 30) -> AsyncIterator[bytes]:
    for start in range(0, total, size):
        yield b"x" * min(size, total - start)


@pytest.mark.parametrize("path", ["/echo", "/deaf", "/swallows"])
async def test_a_body_declared_too_long_is_refused_unread(client: AsyncClient, path: str) -> None:
    answer = await client.post(path, content=b"x" * (LIMIT + 1))

    assert problem(answer) == (413, "payload_too_large", "The body may have at most 100 bytes.")
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize("path", ["/echo", "/swallows"])
async def test_a_body_of_undeclared_length_is_counted(client: AsyncClient, path: str) -> None:
    answer = await client.post(path, content=in_parts(LIMIT + 1))

    assert problem(answer) == (413, "payload_too_large", "The body may have at most 100 bytes.")


async def test_bodies_up_to_the_limit_pass_whole(client: AsyncClient) -> None:
    assert (await client.post("/echo", content=b"x" * LIMIT)).content == b"x" * LIMIT
    assert (await client.post("/echo", content=in_parts(LIMIT))).content == b"x" * LIMIT


@pytest.mark.parametrize("declared", [[], [(b"content-length", b"100000")]])
async def test_the_rest_of_a_refused_body_is_read_but_not_to_the_end(declared: list[tuple[bytes, bytes]]) -> None:
    taken = 0

    async def endless() -> Message:
        nonlocal taken
        taken += 30
        return {"type": "http.request", "body": b"x" * 30, "more_body": True}

    async def send(message: Message) -> None:
        sent.append({**message, "taken": taken})

    sent: list[Message] = []
    scope = {"type": "http", "method": "POST", "path": "/echo", "query_string": b"", "headers": declared}
    await app(scope, endless, send)

    start, body, end = sent
    assert start["status"] == 413
    assert body["more_body"] is True
    assert end["body"] == b""
    assert body["taken"] + LIMIT < end["taken"] <= body["taken"] + LIMIT + 30


@pytest.mark.parametrize("length", ["9" * 5000, "101"])
async def test_absurd_lengths_are_too_long(client: AsyncClient, length: str) -> None:
    answer = await client.post("/echo", headers={"Content-Length": length}, content=in_parts(3))

    assert problem(answer)[:2] == (413, "payload_too_large")


@pytest.mark.parametrize("coding", ["gzip", "br", "GZIP", "identity, gzip", "gzip, identity"])
async def test_compressed_bodies_are_refused(client: AsyncClient, coding: str) -> None:
    answer = await client.post("/echo", headers={"Content-Encoding": coding}, content=b"x")

    assert problem(answer) == (415, "unsupported_media_type", "Send the body without Content-Encoding.")


@pytest.mark.parametrize("coding", ["identity", "Identity", ""])
async def test_identity_is_no_coding(client: AsyncClient, coding: str) -> None:
    answer = await client.post("/echo", headers={"Content-Encoding": coding}, content=b"x")

    assert (answer.status_code, answer.content) == (200, b"x")


Declared = list[tuple[bytes, bytes]]
BOUNDED: dict[str, tuple[str | None, Declared]] = {
    "a length": ("1.1", [(b"content-length", b"100")]),
    "a length, whatever the protocol": (None, [(b"content-length", b"100")]),
    "HTTP/1.1 without a length": ("1.1", []),
    "HTTP/1.0 without a length": ("1.0", []),
}
UNBOUNDED: dict[str, tuple[str | None, Declared]] = {
    "chunks": ("1.1", [(b"transfer-encoding", b"chunked")]),
    "chunks and a length": ("1.1", [(b"content-length", b"100"), (b"transfer-encoding", b"chunked")]),
    "HTTP/2 without a length": ("2", []),
    "no length that one could read": ("2", [(b"content-length", b"-1")]),
}


async def receiver_behind(version: str | None, declared: Declared) -> bool:
    """Whether the application is given the server's own `receive`."""
    given: list[Receive] = []

    async def takes(scope: Scope, receive: Receive, send: Send) -> None:
        given.append(receive)

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        raise AssertionError(message)

    scope = {"type": "http", "http_version": version, "path": "/", "headers": declared}
    await BodyGuard(takes, LIMIT, write_problem)(scope, receive, send)
    return given == [receive]


@pytest.mark.parametrize(("version", "declared"), BOUNDED.values(), ids=BOUNDED)
async def test_what_the_server_bounds_is_not_counted_again(version: str | None, declared: Declared) -> None:
    assert await receiver_behind(version, declared)


@pytest.mark.parametrize(("version", "declared"), UNBOUNDED.values(), ids=UNBOUNDED)
async def test_whatever_else_is_counted(version: str | None, declared: Declared) -> None:
    assert not await receiver_behind(version, declared)
