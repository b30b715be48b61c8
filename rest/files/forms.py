"""Upload of a file in one request: `POST /files` with a form whose fields precede the content."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from rest.http.conditional import JSON, expected_of
from rest.http.negotiation import media_type
from rest.query import parameters, refuse_unknown
from rest.reading import Queries, shown_of
from rest.routes import RestRoute, location_of
from services.catalogue import Problem
from services.catalogue.problems import IDEMPOTENCY_UNSUPPORTED
from services.engine.authorization import Admitted
from services.engine.gateway import Gateway, WriteResult
from services.engine.idempotency.keys import key_of_headers
from services.engine.payment import Payment
from services.files.config import FilesConfig
from services.files.forms import (
    FORM,
    MAX_FIELD_BYTES,
    Event,
    Part,
    before_the_file,
    boundary_of,
    form_events,
    interruptible,
    last_part,
)
from services.files.uploading import COMPLETE, NO_KEY, FormFile, upload_file
from services.files.uploads import InterruptedUploadError

FIELDS: Final = ("workspace_id", "name", "size", "sha256", "media_type")
_FILE: Final = "file"


def is_form(content_type: str) -> bool:
    """Return whether a body is a form with files."""
    return media_type(content_type) == FORM


def said_of_the_file(request: Request) -> Mapping[str, Any]:
    """Return the input that was read from a form, or an empty one if it has not been read."""
    fields: Mapping[str, Any] = getattr(request.state, "said_of_the_file", {})
    return fields


async def received_form(
    request: Request, gateway: Gateway, admitted: Admitted, prefix: str, payment: Payment | None
) -> Response:
    """Create, upload and complete a file in one step, or nothing of it.

    Other aspects of the request are the same as with JSON, except idempotency keys, which would require storing the
    file. Raises as creating, sending and completing do, and `idempotency_unsupported`.
    """
    refuse_unknown(parameters(request.scope["query_string"], gateway.limits))
    if key_of_headers(request.scope["headers"]) is not None:
        raise Problem(IDEMPOTENCY_UNSUPPORTED, NO_KEY)
    expected = expected_of(request.scope["headers"])
    body = interruptible(request.stream(), ClientDisconnect)
    events = form_events(body, boundary_of(request.headers.get("content-type", "")))
    try:
        async with before_the_file(gateway.part(FilesConfig).idle_seconds):
            fields, part, first = await _fields(events)
        request.state.said_of_the_file = fields
        length = request.headers.get("content-length", "")
        file = FormFile(part, length, last_part(events, _FILE, first))
        route = RestRoute("POST", "", operation=gateway.catalogue.operations[COMPLETE])
        asked = Queries(route, gateway.limits).parse(b"")
        shown = await upload_file(gateway, admitted, file, fields, payment, expected, asked.query, asked.included)
    except InterruptedUploadError:
        raise ClientDisconnect from None
    assert isinstance(shown, WriteResult)
    headers = {"Location": location_of(request, prefix, gateway.catalogue.resources["file"], shown.key)}
    return Response(orjson.dumps(shown_of(route, shown.answer).body), 201, headers, JSON)


async def _fields(events: AsyncIterator[Event]) -> tuple[dict[str, Any], Part, bytes | None]:
    """The fields before the file, its part and first bytes (None if empty). Raises `validation_failed`."""
    fields: dict[str, bytearray] = {}
    current: Part | None = None
    async for part, data in events:
        if part.name == _FILE:
            return {name: _value(name, bytes(value)) for name, value in fields.items()}, part, data
        if part.name not in FIELDS:
            raise Problem.field(part.name, "unknown", "There is no such field.")
        if part is not current:
            if part.name in fields:
                raise Problem.field(part.name, "conflict", "This field is given twice.")
            current, fields[part.name] = part, bytearray()
        value = fields[part.name]
        value += data or b""
        if len(value) > MAX_FIELD_BYTES:
            raise Problem.field(part.name, "length", f"This has more than {MAX_FIELD_BYTES} bytes.")
    raise Problem.field(_FILE, "required", "This field is required.")


def _value(name: str, data: bytes) -> Any:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise Problem.field(name, "format", "This is not valid UTF-8.") from None
    return int(text) if name == "size" and text.isascii() and text.isdigit() and len(text) < 18 else text
