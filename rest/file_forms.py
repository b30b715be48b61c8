"""A file in one request: `POST /files` with a form whose fields come before the bytes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final
from uuid import UUID

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from rest.conditional import JSON
from rest.forms import FORM, MAX_FIELD_BYTES, Event, body_of, boundary_of, form_events
from rest.negotiation import media_type
from rest.reading import KEY, TAG, Queries
from rest.routes import RestRoute
from services.budget.till import Till
from services.catalogue import ANONYMOUS, Actor, Client, Problem
from services.catalogue.problems import BAD_REQUEST
from services.execution import Gateway, Shown, Write
from services.files.config import FilesConfig
from services.files.operations import forget_file
from services.files.schemas import FileUpload
from services.files.uploads import InterruptedUploadError, Sent, received

FILE_OPERATION: Final = "create_file"
FIELDS: Final = ("workspace_id", "name", "size", "sha256", "media_type")
_FILE: Final = "file"


def is_form(content_type: str) -> bool:
    """Whether a body is a form with files."""
    return media_type(content_type) == FORM


async def received_form(
    request: Request, gateway: Gateway, actor: Actor, client: Client, prefix: str, till: Till | None
) -> Response:
    """Take in a file, all at once: announced, sent and completed, or nothing of it. Raises as these do."""
    body = body_of(request, gateway.part(FilesConfig).idle_seconds)
    events = form_events(body, boundary_of(request.headers.get("content-type", "")))
    try:
        fields, first = await _fields(events)
        exact = "size" in fields
        if not exact:
            fields["size"] = _most(request, gateway)
        create, complete = (gateway.catalogue.operations[each] for each in (FILE_OPERATION, "complete_file"))
        announced = await gateway.write(create, actor, Write(data=fields), client, till)
        assert isinstance(announced, FileUpload)
        shown = None
        try:
            await received(
                gateway.parts, lambda: gateway.unit_of_work(ANONYMOUS), announced.id, Sent(), _bytes(events, first),
                exact=exact,
            )  # fmt: skip
            query, inputs = Queries(RestRoute("POST", "", operation=complete), gateway.limits).parse(b"")
            shown = await gateway.write(complete, actor, Write(announced.id, None, query, inputs), client)
        finally:
            if shown is None:
                await _forget(gateway, announced.id)
    except InterruptedUploadError:
        raise ClientDisconnect from None
    assert isinstance(shown, Shown)
    return _created(request, gateway, prefix, shown)


def _created(request: Request, gateway: Gateway, prefix: str, shown: Shown) -> Response:
    row = shown.answer[KEY]
    row.pop(TAG, None)
    resource = gateway.catalogue.resources["file"]
    at = f"{request.scope.get('root_path', '')}{prefix}/{resource.path}/{resource.encode(shown.key)}"
    return Response(orjson.dumps(row), 201, {"Location": at}, JSON)


async def _forget(gateway: Gateway, key: UUID) -> None:
    async with gateway.unit_of_work(ANONYMOUS) as call:
        await forget_file(call, key)


def _most(request: Request, gateway: Gateway) -> int:
    """How many bytes the file can have at most: so many are set aside until it is known."""
    length = request.headers.get("content-length", "")
    if not length.isdigit() or len(length) > 18:
        raise Problem.field("size", "required", "Send Content-Length, or the field size before the file.")
    most = gateway.part(FilesConfig).max_bytes
    return min(int(length), most) if int(length) <= most + MAX_FIELD_BYTES else most + 1


async def _fields(events: AsyncIterator[Event]) -> tuple[dict[str, Any], bytes | None]:
    """The fields up to the file, what the file's own header says, and its first bytes (None: it has none).

    Raises `validation_failed`, `bad_request`.
    """
    found: dict[str, bytearray] = {}
    async for part, data in events:
        if part.name == _FILE:
            fields = {name: _value(name, bytes(value)) for name, value in found.items()}
            if part.filename:
                fields.setdefault("name", part.filename)
            if part.media_type:
                fields.setdefault("media_type", part.media_type)
            return fields, data
        if part.name not in FIELDS:
            raise Problem.field(part.name, "unknown", "There is no such field.")
        value = found.setdefault(part.name, bytearray())
        value += data or b""
        if len(value) > MAX_FIELD_BYTES:
            raise Problem.field(part.name, "length", f"This has more than {MAX_FIELD_BYTES} bytes.")
    raise Problem.field(_FILE, "required", "This field is required.")


def _value(name: str, given: bytes) -> Any:
    try:
        text = given.decode()
    except UnicodeDecodeError:
        raise Problem.field(name, "format", "This is not valid UTF-8.") from None
    return int(text) if name == "size" and text.isascii() and text.isdigit() and len(text) < 18 else text


async def _bytes(events: AsyncIterator[Event], first: bytes | None) -> AsyncIterator[bytes]:
    """The bytes of the file, which is the last part. Raises `bad_request` where it is not."""
    ended = first is None
    if first:
        yield first
    async for part, data in events:
        if ended or part.name != _FILE:
            raise Problem(BAD_REQUEST, "The file must be the last part of the form.")
        ended = data is None
        if data:
            yield data
