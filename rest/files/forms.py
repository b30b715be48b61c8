"""A file in one request: `POST /files` with a form whose fields come before the bytes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from rest.http.conditional import JSON, expected_of
from rest.http.negotiation import media_type
from rest.http.streaming import body_of
from rest.query import parameters, refuse_rest
from rest.reading import KEY, TAG, Queries
from rest.routes import RestRoute
from services.catalogue import Actor, Client, Problem
from services.catalogue.problems import IDEMPOTENCY_UNSUPPORTED
from services.engine.gateway import Gateway, Shown
from services.engine.idempotency.keys import key_of_headers
from services.engine.payment import Till
from services.files.config import FilesConfig
from services.files.forms import (
    FORM,
    MAX_FIELD_BYTES,
    Event,
    Part,
    before_the_file,
    boundary_of,
    form_events,
    last_part,
)
from services.files.uploading import COMPLETE, CREATE, NO_KEY, FormFile, Sender, upload_file
from services.files.uploads import InterruptedUploadError
from services.queries.limits import Limits
from services.queries.versions import Expected

FILE_OPERATION: Final = CREATE
FIELDS: Final = ("workspace_id", "name", "size", "sha256", "media_type")
_FILE: Final = "file"
_SAID: Final = "said_of_the_file"


def is_form(content_type: str) -> bool:
    """Whether a body is a form with files."""
    return media_type(content_type) == FORM


def said_of_the_file(request: Request) -> Mapping[str, Any]:
    """The input that a form was read as; nothing where it was not read so far."""
    found: Mapping[str, Any] = getattr(request.state, _SAID, {})
    return found


async def received_form(
    request: Request, gateway: Gateway, actor: Actor, client: Client, prefix: str, till: Till | None
) -> Response:
    """Take in a file, all at once: announced, sent and completed, or nothing of it.

    What else the request asks for is as of JSON, but for an idempotency key, which would have to hold the file. Raises
    as announcing, sending and completing do, and `idempotency_unsupported`.
    """
    expected = _expected(request, gateway.limits)
    idle_seconds = gateway.part(FilesConfig).idle_seconds
    body = body_of(request, idle_seconds)
    events = form_events(body, boundary_of(request.headers.get("content-type", "")))
    try:
        async with before_the_file(idle_seconds):
            fields, part, first = await _fields(events)
        setattr(request.state, _SAID, fields)
        length = request.headers.get("content-length", "")
        file = FormFile(part, length, last_part(events, _FILE, first))
        route = RestRoute("POST", "", operation=gateway.catalogue.operations[COMPLETE])
        query, inputs = Queries(route, gateway.limits).parse(b"")
        shown = await upload_file(Sender(gateway, actor, client, till), file, fields, expected, query, inputs)
    except InterruptedUploadError:
        raise ClientDisconnect from None
    assert isinstance(shown, Shown)
    return _created(request, gateway, prefix, shown)


def _expected(request: Request, limits: Limits) -> Expected | None:
    """What the header expects, where nothing is asked for that a form does not know."""
    refuse_rest(parameters(request.scope["query_string"], limits))
    if key_of_headers(request.scope["headers"]) is not None:
        raise Problem(IDEMPOTENCY_UNSUPPORTED, NO_KEY)
    return expected_of(request.scope["headers"])


def _created(request: Request, gateway: Gateway, prefix: str, shown: Shown) -> Response:
    row = shown.answer[KEY]
    row.pop(TAG, None)
    resource = gateway.catalogue.resources["file"]
    at = f"{request.scope.get('root_path', '')}{prefix}/{resource.path}/{resource.encode(shown.key)}"
    return Response(orjson.dumps(row), 201, {"Location": at}, JSON)


async def _fields(events: AsyncIterator[Event]) -> tuple[dict[str, Any], Part, bytes | None]:
    """The fields up to the file, its own part, and its first bytes (None: it has none).

    Raises `validation_failed`, `bad_request`.
    """
    found: dict[str, bytearray] = {}
    current: Part | None = None
    async for part, data in events:
        if part.name == _FILE:
            return {name: _value(name, bytes(value)) for name, value in found.items()}, part, data
        if part.name not in FIELDS:
            raise Problem.field(part.name, "unknown", "There is no such field.")
        if part is not current:
            if part.name in found:
                raise Problem.field(part.name, "conflict", "This field is given twice.")
            current, found[part.name] = part, bytearray()
        value = found[part.name]
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
