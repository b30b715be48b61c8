"""Contents of files: `PUT` and `GET /files/{id}/content`, streamed, by credentials or a signed link.

An interrupted upload is resumed by a partial PUT (RFC 9110, 14.5): `HEAD` returns the position in `Upload-Offset`, and
the PUT has `Content-Range: bytes a-b/size`. Downloads support ranges (RFC 9110, 14) and conditions (13).
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote
from uuid import UUID

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Scope

from rest.files.content_range import Range, content_range, requested_range
from rest.files.downloads import Download
from rest.files.forms import is_form
from rest.http.conditional import expected_of
from rest.paying import payment_of, priced
from services.catalogue import ANONYMOUS, Actor, Catalogue, Client, Problem
from services.catalogue.models import parse_value
from services.catalogue.problems import CONFLICT, NOT_FOUND, RANGE_NOT_SATISFIABLE, UNAVAILABLE
from services.engine.gateway import Gateway
from services.engine.payment import OverdrawnError, PricedError
from services.files.config import FilesConfig
from services.files.forms import interruptible
from services.files.links import FileLinks, Use
from services.files.models import File, FileState
from services.files.operations import linked_file
from services.files.resource import files
from services.files.sniffing import ANYTHING, INLINE
from services.files.store import FileStore, MissingBytesError, Place
from services.files.uploads import InterruptedUploadError, StoppedUploadError, received
from services.identity.auth.authentication import Authenticator, Credentials
from services.process import observation
from services.process.concurrency import Concurrency
from services.process.shutdown import ON_SHUTDOWN
from services.queries.costs import MINIMUM
from services.storage.base import utc_now
from services.storage.rows import load_for_update, select_readable

log = structlog.get_logger(__name__)

PATH: Final = "/files/{id}/content"
_CONTENT: Final = re.compile(r"/files/[^/]+/content/?")
_SHOWN: Final = INLINE | {"text/plain"}
"""Media types that a browser displays; all others it saves."""
_RUN: Final = re.compile(
    r"(?:text|application)/(?:x-)?(?:java|ecma|live|j|vb)script.*|text/(?:css|xsl|cache-manifest)|application/wasm"
    r"|application/(?:xslt\+xml|(?:importmap|manifest|speculationrules)\+json)"
)
"""Media types that a page of the gateway's own origin could execute or apply.

They are sent as bytes, which `nosniff` prevents from being used otherwise (Fetch, 3.6).
"""
_POLICY: Final = "default-src 'none'; sandbox; frame-ancestors 'none'"
_PLAIN: Final = re.compile(r"[^A-Za-z0-9._ ()\[\]-]")


def file_routes(catalogue: Catalogue, prefix: str) -> list[Route]:
    """Return the routes of contents; empty if the catalogue has no files."""
    if "file" not in catalogue.resources:
        return []
    return [Route(prefix + PATH, _content, methods=["GET", "HEAD", "PUT"])]


def is_upload(scope: Scope, prefix: str) -> bool:
    """Return whether a request sends the content of a file, for which other limits of length and time apply."""
    if scope["method"] not in ("PUT", "POST"):
        return False
    path: str = scope["path"].removeprefix(scope.get("root_path", ""))
    if not path.startswith(f"{prefix}/files"):
        return False
    below = path.removeprefix(prefix)
    if scope["method"] == "PUT":
        return _CONTENT.fullmatch(below) is not None
    kinds = [value for name, value in scope["headers"] if name == b"content-type"]
    return below in ("/files", "/files/") and len(kinds) == 1 and is_form(kinds[0].decode("latin-1"))


async def _content(request: Request) -> Response:
    gateway: Gateway = request.app.state.gateway
    resource = gateway.catalogue.resources["file"]
    key: UUID = parse_value(resource.adapter("id"), request.path_params["id"], ("id",))
    host = request.client.host if request.client else ""
    caller = await _caller(request, gateway, key, host)
    try:
        with ExitStack() as held:
            held.enter_context(gateway.part(Concurrency).slot(caller.actor, host))
            payment = payment_of(request, gateway, caller.actor)
            if payment is not None:
                await payment.pay(MINIMUM)  # one point, however long the request is
            row = await _row(request, gateway, key, caller)
            if request.method == "PUT":
                return await _put(request, gateway, row)
            if row.state is not FileState.COMPLETE or caller.sends:
                if request.method != "HEAD":
                    raise Problem(CONFLICT, "The file is not complete.")
                return Response(status_code=204, headers={"Upload-Offset": str(row.received)})
            return await _get(request, gateway, row, held)
    except PricedError as error:
        return priced(error.payment)
    except OverdrawnError as error:
        raise error.problem from None


@dataclass(frozen=True, slots=True)
class _Caller:
    """The caller of a request, by a signed link or with the right to send only."""

    actor: Actor = ANONYMOUS
    signed: bool = False
    sends: bool = False


async def _caller(request: Request, gateway: Gateway, key: UUID, host: str) -> _Caller:
    """Authenticate the caller; one who may send may ask for the offset. Raises `invalid_link`, and as `admit`."""
    get, complete = gateway.catalogue.operations["get_file"], gateway.catalogue.operations["complete_file"]
    if _signed(request, gateway, key, "PUT" if request.method == "PUT" else "GET"):
        observation.note((complete if request.method == "PUT" else get).name, str(ANONYMOUS))
        return _Caller(signed=True)
    actor = await gateway.part(Authenticator).actor_for([get], Credentials.of(request.scope["headers"], host))
    asks = request.method == "HEAD" and get.scope not in actor.scopes and complete.scope in actor.scopes
    sends = request.method == "PUT" or asks
    await gateway.admit(complete if sends else get, actor, Client(host, request.headers.get("user-agent", "")))
    return _Caller(actor, sends=sends)


def _signed(request: Request, gateway: Gateway, key: UUID, use: Use) -> bool:
    """Return whether the address is a signed link. Raises `invalid_link` for an invalid one."""
    parameters = request.query_params
    if "signature" not in parameters and "expires" not in parameters:
        return False
    links, signed_values = gateway.part(FileLinks), (parameters.get("expires", ""), parameters.get("signature", ""))
    try:
        links.check(key, use, *signed_values, utc_now())
    except Problem:
        if request.method != "HEAD":
            raise
        links.check(key, "PUT", *signed_values, utc_now())  # HEAD by an upload link asks for the offset
    return True


async def _row(request: Request, gateway: Gateway, key: UUID, caller: _Caller) -> File:
    """Return the file under its policy or by the link. Raises `not_found`, `forbidden`."""
    async with gateway.unit_of_work(caller.actor) as call:
        if caller.signed:
            return await linked_file(call, key)
        if request.method == "PUT":
            return await load_for_update(call, files, key, "complete")
        rows = await select_readable(call, files, File.id == key)
        if not rows:
            raise Problem(NOT_FOUND)
        if caller.sends:
            may_send = files.policy.predicate("complete", File, caller.actor)
            if not await select_readable(call, files, File.id == key, may_send):
                raise files.policy.refusal("complete", caller.actor)
    return rows[0]


async def _put(request: Request, gateway: Gateway, row: File) -> Response:
    expected = expected_of(request.scope["headers"])
    if expected is not None:
        expected.check(row.sha256 if row.state is FileState.COMPLETE else None)
    sent_range = content_range(request.headers.get("content-range"), row.size)
    length = request.headers.get("content-length", "")
    announced = row.size if sent_range.end is None else sent_range.end - sent_range.start
    if length.isdigit() and int(length) != announced:
        raise Problem.field("size", "range", f"The body has {length} bytes, where {announced} were announced.")
    body = _until_shutdown(request.scope, interruptible(request.stream(), ClientDisconnect))
    try:
        offset = await received(gateway, row.id, sent_range, body)
    except StoppedUploadError:
        raise Problem(UNAVAILABLE, "The gateway restarts: go on where the upload has ended.", retry_after=1) from None
    except InterruptedUploadError:
        raise ClientDisconnect from None
    return Response(status_code=204, headers={"Upload-Offset": str(offset)})


async def _until_shutdown(scope: Scope, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield a body, part by part. Raises StoppedUploadError once the server begins to stop, before it cuts it off."""
    is_stopping = False

    def stop() -> None:
        nonlocal is_stopping
        is_stopping = True

    scope.get("extensions", {}).get(ON_SHUTDOWN, []).append(stop)
    async for part in body:
        yield part
        if is_stopping:
            raise StoppedUploadError


async def _get(request: Request, gateway: Gateway, row: File, held: ExitStack) -> Response:
    """Return the content or its header fields. A download takes over `held`."""
    headers = _headers(row)
    expected = expected_of(request.scope["headers"])
    assert row.sha256 is not None
    if expected is not None and expected.is_known(row.sha256):
        return Response(status_code=304, headers=headers)
    if request.method == "HEAD":  # only GET knows ranges (RFC 9110, 14.2)
        return Response(headers={**headers, "Content-Length": str(row.size)})
    requested = requested_range(request.headers, row.size, headers["ETag"])
    if requested is None:
        raise Problem(RANGE_NOT_SATISFIABLE, content_range=f"bytes */{row.size}")
    return await _streamed(gateway, row, requested, headers, held)


async def _streamed(
    gateway: Gateway, row: File, requested: Range, headers: Mapping[str, str], held: ExitStack
) -> Response:  # fmt: skip
    headers = {**headers, "Content-Length": str(requested.end - requested.start)}
    status = 200
    if requested.partial:
        status, headers["Content-Range"] = 206, f"bytes {requested.start}-{requested.end - 1}/{row.size}"
    parts = gateway.part(FileStore).read(Place(row.id, row.attempt), requested.start, requested.end)
    try:
        first = await anext(parts, b"")
    except MissingBytesError:
        log.exception("the bytes of a file are missing", file=str(row.id))
        raise Problem(NOT_FOUND) from None
    return Download(_prepend(first, parts), status, headers, held.pop_all(), gateway.part(FilesConfig).idle_seconds)


async def _prepend(first: bytes, parts: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    yield first
    async for part in parts:
        yield part


def _headers(row: File) -> dict[str, str]:
    """Return the header fields: RFC 6266 for the name, and nothing that runs in the gateway's origin or its pages."""
    disposition = "inline" if row.media_type in _SHOWN else "attachment"
    plain = _PLAIN.sub("_", row.name)
    charset = "; charset=utf-8" if row.media_type == "text/plain" else ""
    return {
        "Content-Type": ANYTHING if _RUN.fullmatch(row.media_type) else row.media_type + charset,
        "Content-Disposition": f"{disposition}; filename=\"{plain}\"; filename*=UTF-8''{quote(row.name, safe='')}",
        "ETag": f'"{row.sha256}"',
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
        "Content-Security-Policy": _POLICY,
        # Pages of other origins may show files that they have a signed link to.
        "Cross-Origin-Resource-Policy": "cross-origin",
    }
