"""What comes before the body has an end, and comes in time; a refusal is a Problem, and overtakes no answer."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import orjson
import pytest
import uvicorn
from structlog.testing import capture_logs
from uvicorn.server import ServerState

from gateway.asgi.frame import SECURITY_HEADERS
from gateway.serving import protocol as protocols
from gateway.serving.protocol import AT_ONCE, BoundedProtocol
from rest.files.downloads import ABORT

MOST = 1_000


class Transport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__({"sockname": ("127.0.0.1", 80), "peername": ("127.0.0.1", 5)})
        self.written, self.closed = b"", False

    def write(self, data: Any) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        """Whoever tests decides what comes."""

    def resume_reading(self) -> None:
        """Nor is this heeded."""


async def answer(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


class Reader:
    """An application that answers with the length of the body, once it is let."""

    def __init__(self) -> None:
        self.may, self.disconnects = asyncio.Event(), 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        length, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.disconnects += 1
                return
            length, more = length + len(message["body"]), message["more_body"]
        await self.may.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-length", b"%d" % length)]})
        await send({"type": "http.response.body"})


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds that are soon exceeded."""
    monkeypatch.setattr(protocols, "bounds", lambda: (MOST, 60.0))


def connected(app: Any = answer) -> tuple[Any, Transport]:
    """A protocol with somebody on the other side."""
    config, transport = uvicorn.Config(app, log_config=None), Transport()
    config.load()
    protocol: Any = BoundedProtocol(config=config, server_state=ServerState(), app_state={})
    protocol.connection_made(transport)
    return protocol, transport


async def finished(protocol: Any) -> None:
    """Until no application runs any more."""
    while protocol.tasks:
        async with asyncio.timeout(5):
            await asyncio.wait(set(protocol.tasks))


def statuses(transport: Transport) -> list[bytes]:
    """Those of the answers that were written, in their order."""
    return [each[:3] for each in transport.written.split(b"HTTP/1.1 ")[1:]]


@pytest.mark.parametrize("start", [b"GET / HTTP/1.1\r\nhost: x\r\n", b"GET /?q="], ids=["header", "address"])
async def test_head_without_an_end_is_refused_when_it_is_too_long(start: bytes) -> None:
    protocol, transport = connected()
    protocol.data_received(start)
    sent = len(start)
    while not transport.closed:
        assert sent <= MOST
        piece = b"x" * 90 if start.endswith(b"=") else b"x: " + b"y" * 85 + b"\r\n"
        protocol.data_received(piece)
        sent += len(piece)
    head, _, body = transport.written.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 431 ")
    assert f"Content-Length: {len(body)}".encode() in head
    problem = orjson.loads(body)
    assert (problem["code"], problem["status"]) == ("headers_too_large", 431)
    assert "1,000 bytes" in problem["detail"]


UNREADABLE = {
    "name of a header": (b"GET /?q=1 HTTP/1.1\r\na b: c\r\n\r\n", "Invalid header token", ("GET", "/")),
    "field on two lines": (
        b"GET / HTTP/1.1\r\na: b\r\n c\r\n\r\n", "Unexpected whitespace after header value", ("GET", "/"),
    ),
    "length of a body": (
        b"POST /a HTTP/1.1\r\ncontent-length: x\r\n\r\n", "Invalid character in Content-Length", ("POST", "/a"),
    ),
    "two lengths": (
        b"POST / HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
        "Transfer-Encoding can't be present with Content-Length", ("POST", "/"),
    ),
    "address": (b"GET http://[::1 HTTP/1.1\r\nhost: x\r\n\r\n", "its address is not one", ("GET", "http://[::1")),
    "method": (b"FOO / HTTP/1.1\r\nhost: x\r\n\r\n", "Invalid method encountered", ("-", "")),
    "TLS": (b"\x16\x03\x01\x02\x00", "Invalid method encountered", ("-", "")),
}  # fmt: skip


@pytest.mark.parametrize(("sent", "reason", "logged"), UNREADABLE.values(), ids=UNREADABLE)
async def test_what_cannot_be_parsed_is_refused_as_any_other_problem(
    sent: bytes, reason: str, logged: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    protocol, transport = connected()
    protocol.server_state.default_headers = [(b"date", b"Tue, 24 Nov 2026 12:00:00 GMT")]
    with capture_logs() as logs:
        protocol.data_received(sent)
    assert transport.closed
    head, _, body = transport.written.partition(b"\r\n\r\n")
    start, *fields = head.decode().split("\r\n")
    assert start == "HTTP/1.1 400 Bad Request"
    assert sorted(each for each in fields if not each.startswith("X-Request-Id: ")) == sorted([
        "Connection: close", f"Content-Length: {len(body)}", "Content-Type: application/problem+json",
        "Date: Tue, 24 Nov 2026 12:00:00 GMT", *(f"{name}: {value}" for name, value in SECURITY_HEADERS.items()),
    ])  # fmt: skip
    problem = orjson.loads(body)
    assert (problem["code"], problem["status"]) == ("bad_request", 400)
    assert problem["detail"] == f"The request could not be read: {reason}."
    assert [(each["event"], each["method"], each["path"], each["status"], each["bytes"]) for each in logs] == [
        ("request", *logged, 400, len(body))
    ]
    assert caplog.records == []


async def test_refusal_has_the_id_of_its_request_and_for_head_no_body() -> None:
    protocol, transport = connected()
    protocol.data_received(b"HEAD / HTTP/1.1\r\nx-request-id: mine\r\nhost: x\r\na b: c\r\n\r\n")
    head, _, body = transport.written.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"\r\nX-Request-Id: mine" in head
    assert body == b""


@pytest.mark.parametrize("step", [1, 3, 1_000, 30_000, 100_000])
async def test_address_that_is_too_long_is_refused_as_such_however_it_comes(
    step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocols, "bounds", lambda: (65_536, 60.0))
    protocol, transport = connected()
    sent = b"GET /?q=" + b"x" * 65_532 + b" HTTP/1.1\r\nhost: x\r\n\r\n"
    for start in range(0, len(sent), step):
        if not transport.closed:
            protocol.data_received(sent[start : start + step])
    assert statuses(transport) == [b"414"]
    assert orjson.loads(transport.written.partition(b"\r\n\r\n")[2])["code"] == "uri_too_long"


@pytest.mark.parametrize("step", [1, 5, 1_000])
@pytest.mark.parametrize("address", ["/api/v1/jobs#/public", "/items?title=C#&status=open", "/#", "http://x/#a"])
async def test_fragment_is_refused_instead_of_dropped(address: str, step: int) -> None:
    protocol, transport = connected()
    sent = f"GET {address} HTTP/1.1\r\nhost: x\r\n\r\n".encode()
    with capture_logs() as lines:
        for start in range(0, len(sent), step):
            if not transport.closed:
                protocol.data_received(sent[start : start + step])
    assert statuses(transport) == [b"400"]
    assert b"#" not in b"".join(str(each["path"]).encode() for each in lines)
    assert "fragment" in orjson.loads(transport.written.partition(b"\r\n\r\n")[2])["detail"]


async def test_longest_address_that_can_be_counted_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocols, "bounds", lambda: (100_000, 60.0))
    protocol, transport = connected()
    protocol.data_received(b"GET /?q=" + b"x" * 65_531 + b" HTTP/1.1\r\nhost: x\r\n\r\n")
    await finished(protocol)
    assert statuses(transport) == [b"204"]


@pytest.mark.parametrize("most", [MOST, 3 * AT_ONCE])
async def test_head_that_comes_at_once_is_measured_too(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocols, "bounds", lambda: (most, 60.0))
    for over, expected in ((0, b"204"), (1, b"431")):
        protocol, transport = connected()
        start = b"GET / HTTP/1.1\r\nhost: x\r\na: "
        protocol.data_received(start + b"y" * (most - 4 + over - len(start)) + b"\r\n\r\n")
        await finished(protocol)
        assert statuses(transport) == [expected]


async def test_head_that_does_not_come_to_its_end_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocols, "bounds", lambda: (MOST, 0.01))
    protocol, transport = connected()
    protocol.data_received(b"GET / HTTP/1.1\r\n")
    async with asyncio.timeout(5):
        while not transport.closed:  # noqa: ASYNC110 - it is the timer that is waited for
            await asyncio.sleep(0.005)


async def test_requests_on_one_connection_are_measured_each_by_itself() -> None:
    protocol, transport = connected()
    for number in range(1, 6):
        protocol.data_received(b"GET / HTTP/1.1\r\nhost: x\r\n")
        protocol.data_received(b"x: " + b"y" * 600 + b"\r\n")
        protocol.data_received(b"\r\n")
        async with asyncio.timeout(5):
            while transport.written.count(b" 204 ") < number:  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0)
    assert protocol._head_timer is None
    assert not transport.closed


async def test_upgrade_to_what_is_not_spoken_is_not_heeded(caplog: pytest.LogCaptureFixture) -> None:
    protocol, transport = connected()
    protocol.data_received(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n")
    await finished(protocol)
    warnings = [each for each in caplog.records if each.levelno >= logging.WARNING]
    assert (statuses(transport), warnings) == ([b"204"], [])


POST = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 90000\r\n\r\n" + b"x" * 90_000
CHUNKED = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n"


async def test_body_is_not_counted_for_the_head_that_follows_it() -> None:
    protocol, transport = connected()
    protocol.data_received(POST + b"GET / HTTP/1.1\r\nho")
    protocol.data_received(b"st: x\r\n\r\n")
    await finished(protocol)
    assert statuses(transport) == [b"204", b"204"]
    assert not transport.closed


@pytest.mark.parametrize("ahead", [1, 2])
@pytest.mark.parametrize(
    ("follows", "status"),
    [(b"\x00\r\n\r\n", b"400"), (b"GET / HTTP/1.1\r\na: " + b"y" * 3 * AT_ONCE, b"431")],
    ids=["garbage", "long head"],
)
@pytest.mark.parametrize("together", [True, False])
async def test_refusal_waits_for_answers_before_it(together: bool, follows: bytes, status: bytes, ahead: int) -> None:
    app = Reader()
    protocol, transport = connected(app)
    sent = [*[POST] * ahead, follows]
    for each in [b"".join(sent)] if together else sent:
        protocol.data_received(each)
    protocol.data_received(b"GET / HTTP/1.1\r\nhost: too late\r\n\r\n")
    assert (transport.written, transport.closed) == (b"", False)
    app.may.set()
    await finished(protocol)
    assert statuses(transport) == [b"200"] * ahead + [status]
    assert transport.written.count(b"x-length: 90000\r\n") == ahead
    assert transport.closed


@pytest.mark.parametrize(
    ("rest", "status"),
    [(b"zz\r\n", b"400"), (b"0\r\nx: " + b"y" * 3 * AT_ONCE, b"431")],
    ids=["size of a chunk", "trailers without an end"],
)
@pytest.mark.parametrize("together", [True, False])
async def test_request_whose_body_cannot_be_read_is_refused(
    together: bool, rest: bytes, status: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    app = Reader()
    protocol, transport = connected(app)
    for each in [CHUNKED + rest] if together else [CHUNKED, rest]:
        protocol.data_received(each)
        await asyncio.sleep(0)
    await finished(protocol)
    assert (statuses(transport), app.disconnects, transport.closed) == ([status], 1, True)
    assert caplog.records == []


async def test_request_that_is_answered_without_its_body_is_not_refused_as_well() -> None:
    protocol, transport = connected()
    protocol.data_received(CHUNKED + b"zz\r\n")
    assert transport.written == b""
    await finished(protocol)
    assert (statuses(transport), transport.closed) == ([b"204"], True)


async def test_slow_head_does_not_cut_off_the_answer_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocols, "bounds", lambda: (MOST, 0.01))
    app = Reader()
    protocol, transport = connected(app)
    protocol.data_received(POST + b"GET / HT")
    async with asyncio.timeout(5):
        while protocol.cycle.keep_alive:  # noqa: ASYNC110 - it is the timer that is waited for
            await asyncio.sleep(0.005)
    assert not transport.closed
    app.may.set()
    await finished(protocol)
    assert (statuses(transport), transport.closed) == ([b"200"], True)


async def test_application_may_close_the_connection_at_once_with_an_answer_half_sent(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def half(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
        scope["extensions"][ABORT]()
        while (await receive())["type"] != "http.disconnect":
            continue

    def abort(transport: Transport) -> None:
        transport.closed = True
        asyncio.get_running_loop().call_soon(protocol.connection_lost, None)

    monkeypatch.setattr(Transport, "abort", abort)
    protocol, transport = connected(half)
    protocol.data_received(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    await finished(protocol)
    assert (statuses(transport), transport.closed) == ([b"200"], True)
    assert [each for each in caplog.records if each.levelno > logging.INFO] == []
