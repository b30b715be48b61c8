"""The bytes of files: `PUT` and `GET /files/{id}/content`, streamed, by credentials or a signed link.

Sending goes on after an interruption as a partial PUT does (RFC 9110, 14.5): `HEAD` says in `Upload-Offset` where, and
`Content-Range: bytes a-b/size` that it does. Fetching knows ranges (RFC 9110, 14) and conditions (13).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from typing import Final
from urllib.parse import quote
from uuid import UUID

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Scope

from rest.conditional import expected_of
from rest.content_range import Range, content_range, requested_range
from rest.file_forms import is_form
from rest.forms import body_of
from rest.paying import asks_for_the_price, priced
from rest.stopping import until_shutdown
from services.auth.authentication import Authenticator, Presented
from services.budget.budget import Budget
from services.budget.till import OverdrawnError, PricedError, Till
from services.catalogue import ANONYMOUS, Actor, Catalogue, Client, Problem
from services.catalogue.costs import MINIMUM
from services.catalogue.models import parse_value
from services.catalogue.problems import CONFLICT, NOT_FOUND, RANGE_NOT_SATISFIABLE, UNAVAILABLE
from services.concurrency import Concurrency
from services.execution import Gateway
from services.files.config import FilesConfig
from services.files.links import FileLinks, Use
from services.files.models import File, FileState
from services.files.operations import linked_file
from services.files.resource import files
from services.files.sniffing import INLINE
from services.files.store import FileStore, MissingBytesError, Place
from services.files.uploads import InterruptedUploadError, StoppedUploadError, received
from services.storage.base import utc_now
from services.storage.rows import load_for, readable

log = structlog.get_logger(__name__)

PATH: Final = "/files/{id}/content"
_CONTENT: Final = re.compile(r"/files/[^/]+/content/?")
_SHOWN: Final = INLINE | {"text/plain"}
"""What a browser shows at its address; all else it saves."""
_POLICY: Final = "default-src 'none'; sandbox; frame-ancestors 'none'"
_PLAIN: Final = re.compile(r"[^A-Za-z0-9._ ()\[\]-]")


def file_routes(catalogue: Catalogue, prefix: str) -> list[Route]:
    """The routes of bytes; none where the catalogue has no files."""
    if "file" not in catalogue.resources:
        return []
    return [Route(prefix + PATH, _content, methods=["GET", "HEAD", "PUT"])]


def is_upload(scope: Scope, prefix: str) -> bool:
    """Whether a request sends the bytes of a file, and so has bounds of its own: of length, and of time."""
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
    use: Use = "PUT" if request.method == "PUT" else "GET"
    host = request.client.host if request.client else ""
    signed, actor = _signed(request, gateway, key, use), ANONYMOUS
    if not signed:
        name = "complete_file" if use == "PUT" else "get_file"
        operation = gateway.catalogue.operations[name]
        actor = await gateway.part(Authenticator).actor_for([operation], Presented.of(request.scope["headers"], host))
        await gateway.admit(operation, actor, Client(host, request.headers.get("user-agent", "")))
    try:
        with gateway.part(Concurrency).slot(actor, host):
            await _pay(request, gateway, actor, host)
            row = await _row(gateway, actor, key, use, signed=signed)
            if use == "PUT":
                return await _put(request, gateway, row)
            return await _get(request, gateway, row)
    except PricedError as found:
        return priced(found.till)
    except OverdrawnError as error:
        raise error.problem from None


async def _pay(request: Request, gateway: Gateway, actor: Actor, host: str) -> None:
    """A request costs a point, however long it is. Raises as `Till.pay`."""
    budget, dry = gateway.part(Budget), asks_for_the_price(request)
    if budget.is_on or dry:
        await Till(budget, "rest", actor, host, MINIMUM, dry).pay(MINIMUM)


def _signed(request: Request, gateway: Gateway, key: UUID, use: Use) -> bool:
    """Whether the address is a signed link. Raises `invalid_link` for one that is not good."""
    given = request.query_params
    if "signature" not in given and "expires" not in given:
        return False
    links, told = gateway.part(FileLinks), (given.get("expires", ""), given.get("signature", ""))
    try:
        links.check(key, use, *told, utc_now())
    except Problem:
        if request.method != "HEAD":
            raise
        links.check(key, "PUT", *told, utc_now())  # it asks where to go on
    return True


async def _row(gateway: Gateway, actor: Actor, key: UUID, use: Use, *, signed: bool) -> File:
    """The file, under its policy or as the link says. Raises `not_found`, `forbidden`."""
    async with gateway.unit_of_work(actor) as call:
        if signed:
            return await linked_file(call, key)
        if use == "PUT":
            return await load_for(call, files, key, "complete")
        found = await readable(call, files, File.id == key)
    if not found:
        raise Problem(NOT_FOUND)
    return found[0]


async def _put(request: Request, gateway: Gateway, row: File) -> Response:
    sent = content_range(request.headers.get("content-range"), row.size)
    length = request.headers.get("content-length", "")
    announced = row.size if sent.end is None else sent.end - sent.start
    if length.isdigit() and int(length) != announced:
        raise Problem.field("size", "range", f"The body has {length} bytes, where {announced} were announced.")
    body = until_shutdown(request.scope, body_of(request, gateway.part(FilesConfig).idle_seconds))
    try:
        offset = await received(
            gateway.parts, lambda: gateway.unit_of_work(ANONYMOUS), row.id, sent, body
        )  # fmt: skip
    except StoppedUploadError:
        raise Problem(UNAVAILABLE, "The gateway restarts: go on where the upload has ended.", retry_after=1) from None
    except InterruptedUploadError:
        raise ClientDisconnect from None
    return Response(status_code=204, headers={"Upload-Offset": str(offset)})


async def _get(request: Request, gateway: Gateway, row: File) -> Response:
    headers = {"Upload-Offset": str(row.received)}
    if row.state is not FileState.COMPLETE:
        if request.method == "HEAD":
            return Response(status_code=204, headers=headers)
        raise Problem(CONFLICT, "The file is not complete.")
    headers = _headers(row)
    expected = expected_of(request.scope["headers"])
    assert row.sha256 is not None
    if expected is not None and expected.is_known(row.sha256):
        return Response(status_code=304, headers=headers)
    found = requested_range(request.headers, row.size, headers["ETag"])
    if found is None:
        raise Problem(RANGE_NOT_SATISFIABLE, content_range=f"bytes */{row.size}")
    return await _streamed(request, gateway, row, found, headers)


async def _streamed(
    request: Request, gateway: Gateway, row: File, found: Range, headers: Mapping[str, str]
) -> Response:  # fmt: skip
    headers = {**headers, "Content-Length": str(found.end - found.start)}
    status = 200
    if found.partial:
        status, headers["Content-Range"] = 206, f"bytes {found.start}-{found.end - 1}/{row.size}"
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    parts = gateway.part(FileStore).read(Place(row.id, row.attempt), found.start, found.end)
    try:
        first = await anext(parts, b"")
    except MissingBytesError:
        log.exception("the bytes of a file are missing", file=str(row.id))
        raise Problem(NOT_FOUND) from None
    return StreamingResponse(_from(first, parts), status, headers)


async def _from(first: bytes, parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for part in parts:
        yield part


def _headers(row: File) -> dict[str, str]:
    """RFC 6266 for the name; nothing that is fetched runs in the gateway's origin."""
    disposition = "inline" if row.media_type in _SHOWN else "attachment"
    plain = _PLAIN.sub("_", row.name)
    charset = "; charset=utf-8" if row.media_type == "text/plain" else ""
    return {
        "Content-Type": row.media_type + charset,
        "Content-Disposition": f"{disposition}; filename=\"{plain}\"; filename*=UTF-8''{quote(row.name, safe='')}",
        "ETag": f'"{row.sha256}"',
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
        "Content-Security-Policy": _POLICY,
        # Pages of other origins may show what they have a signed link to.
        "Cross-Origin-Resource-Policy": "cross-origin",
    }
