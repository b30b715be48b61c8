"""Compression of answers (RFC 9110, sections 8.4 and 12.5.3): gzip or zstd (RFC 8878), as `Accept-Encoding` says.

Starlette's GZipMiddleware does not weigh `Accept-Encoding`, knows no zstd, compresses streams and leaves entity-tags as
they are. Here a compressed answer is a representation of its own: its strong entity-tag gets a suffix (RFC 9110,
section 8.8.3.3), which is taken off again where a client sends it back, so that the faces never hear of it.
"""

from __future__ import annotations

import asyncio
import re
import sys
import zlib
from collections.abc import Awaitable, Callable
from functools import lru_cache, partial
from typing import Final

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.asgi.frame import RawHeader
from rest.http.negotiation import weighted
from services.catalogue.problems import NOT_ACCEPTABLE, Problem

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MINIMUM_BYTES: Final = 1024
"""What is shorter fits into a packet or two as it is."""
GZIP_LEVEL: Final = 4
ZSTD_LEVEL: Final = 3
"""Chosen by measuring (docs/decisions/0017-negotiation.md): above these, CPU grows much faster than answers shrink."""
MAX_INLINE_BYTES: Final = 256 * 1024
"""What is longer takes milliseconds, and is compressed in a thread."""
LONGEST: Final = 500
"""Bytes of an `Accept-Encoding` that is looked at; one that is longer counts as absent."""

_TELLING: Final = frozenset({b"accept-encoding", b"if-match", b"if-none-match"})
_COMPRESSIBLE: Final = re.compile(rb"(?:text/(?!event-stream)|application/(?:json|javascript|[a-z0-9.-]+\+json))")
_TAG: Final = re.compile(rb'"([^"]*)-(gzip|zstd)"')
_VARY: Final[RawHeader] = (b"vary", b"Accept-Encoding")
_UNTOUCHED: Final = frozenset({b"content-encoding", b"accept-ranges"})
"""Fields of what is encoded already, and of files, whose ranges are those of their bytes."""
_BODILESS: Final = (204, 205, 206, 304)


class Compression:
    """Compresses whole answers of at least MINIMUM_BYTES; never streams, nor what is encoded already.

    A client that takes neither a coding known here nor the answer as it is (`identity;q=0`) is refused before anything
    is done (406); one that only refuses the answer as it is gets short ones compressed too. `write` shows the refusal.
    Of codings that a client weighs alike, `prefers` is used.
    """

    def __init__(self, app: ASGIApp, write: Callable[[Scope, Problem], Response], prefers: str = "gzip") -> None:
        self.app = app
        self.write = write
        # The last of equals is chosen.
        self._codings = tuple(sorted(_COMPRESS, key=lambda each: each == prefers))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        told = [each for each in scope["headers"] if each[0] in _TELLING]
        accepted = b",".join([value for name, value in told if name == b"accept-encoding"])
        coding, as_it_is = _choice(accepted, self._codings) if 0 < len(accepted) <= LONGEST else (None, True)
        if coding is None and not as_it_is:
            problem = Problem(NOT_ACCEPTABLE, "Answers come as they are, or compressed with gzip or zstd.")
            await self.write(scope, problem)(scope, receive, send)
            return
        answer = _Answer(send, coding, 0 if not as_it_is else MINIMUM_BYTES)
        if len(told) > 1 or (told and told[0][0] != b"accept-encoding"):
            scope = answer.without_suffixes(scope)
        await self.app(scope, receive, answer.send)
        if answer.start is not None:  # and no body came
            await send(answer.start)


class _Answer:
    """One answer on its way out."""

    __slots__ = ("_coding", "_least", "_send", "_tags", "start")

    def __init__(self, send: Send, coding: str | None, least: int) -> None:
        self._send, self._coding, self._least = send, coding, least
        self.start: Message | None = None
        """The beginning, while it waits for the body."""
        self._tags: dict[bytes, bytes] = {}

    def without_suffixes(self, scope: Scope) -> Scope:
        """The request with the tags that the faces have given.

        A condition on writing is about the row, whatever its coding was. One on reading is about what would be sent: a
        tag of another coding stays, and matches nothing.
        """

        def plain(found: re.Match[bytes]) -> bytes:
            tag = b'"%b"' % found[1]
            self._tags[tag] = found[0]
            return tag

        def kept(found: re.Match[bytes]) -> bytes:
            return plain(found) if found[2].decode() == self._coding else found[0]

        headers = [
            (name, _TAG.sub(plain, value)) if name == b"if-match"
            else (name, _TAG.sub(kept, value)) if name == b"if-none-match"
            else (name, value)
            for name, value in scope["headers"]
        ]  # fmt: skip
        return {**scope, "headers": headers} if self._tags else scope

    # Not a coroutine function: it passes the server's own awaitable on.
    def send(self, message: Message) -> Awaitable[None]:
        """What the application sends."""
        start = self.start
        if start is not None:
            self.start = None
            return self._compressed(start, message)
        if message["type"] != "http.response.start":
            return self._send(message)
        if message["status"] == 304:
            # The entity-tag is the one that was presented.
            headers = [
                (name, self._tags.get(value, value)) if name == b"etag" else (name, value)
                for name, value in message["headers"]
            ]
            return self._send({**message, "headers": [*headers, _VARY]})
        if not _is_text(message, self._least):
            return self._send(message)
        if self._coding is None:
            return self._send({**message, "headers": [*message["headers"], _VARY]})
        self.start = message
        return _nothing()

    async def _compressed(self, start: Message, message: Message) -> None:
        coding, headers = self._coding, [*start["headers"], _VARY]
        body: bytes = message.get("body", b"")
        if coding is not None and message["type"] == "http.response.body" and not message.get("more_body") and body:
            compress = _COMPRESS[coding]
            small = compress(body) if len(body) <= MAX_INLINE_BYTES else await asyncio.to_thread(compress, body)
            if len(small) < len(body) or not self._least:
                headers = [*(_encoded(each, coding, len(small)) for each in headers)]
                headers.append((b"content-encoding", coding.encode()))
                message = {**message, "body": small}
        await self._send({**start, "headers": headers})
        await self._send(message)


def _encoded(header: RawHeader, coding: str, length: int) -> RawHeader:
    name, value = header
    if name == b"content-length":
        return name, str(length).encode()
    if name == b"etag" and value.startswith(b'"'):
        return name, b'%b-%b"' % (value[:-1], coding.encode())
    return header


def _is_text(message: Message, least: int) -> bool:
    """Whether a whole answer begins, of text, which may be compressed and has so many bytes."""
    if message["status"] in _BODILESS:
        return False
    whole = fits = False
    for name, value in message.get("headers", ()):
        if name == b"content-length":
            whole = int(value) >= least
            if not whole:
                return False
        elif name == b"content-type":
            fits = _COMPRESSIBLE.match(value) is not None
        elif name in _UNTOUCHED or (name == b"cache-control" and b"no-transform" in value):
            return False
    return whole and fits


@lru_cache(maxsize=256)
def _choice(accepted: bytes, codings: tuple[str, ...]) -> tuple[str | None, bool]:
    """The coding to use, of equals the last one, and whether the answer may come as it is."""
    weights = dict(reversed(weighted(accepted.decode("latin-1"))))
    others = weights.get("*")
    as_it_is = weights.get("identity", others)
    best, chosen = as_it_is or 0.0, None
    # With equal weights a coding rather than none.
    for coding in codings:
        weight = weights.get(coding, weights.get(f"x-{coding}", others)) or 0.0
        if weight and weight >= best:
            best, chosen = weight, coding
    return chosen, as_it_is != 0


def _gzip(body: bytes) -> bytes:
    # Window bits of 31: the largest window, in gzip's format, without a time in it.
    deflate = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, 31)
    return deflate.compress(body) + deflate.flush()


_COMPRESS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "gzip": _gzip,
    "zstd": partial(zstd.compress, level=ZSTD_LEVEL),
}


async def _nothing() -> None:
    """What waiting for a message that is held back comes to."""
