"""Reads files in GraphQL requests (the multipart request specification, jaydenseric/graphql-multipart-request-spec).

A form has `operations` (a request, with null in the place of the file), `map` (the path of that null) and the file. The
document is the one mutation `uploadFile`, which reads the file while it arrives (upload_field.py). Errors of the
request itself are reported before anything of the file is read.

Browsers send forms without a CORS preflight, so each form must have a header field that requires one; a credential is
not enough.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, MutableMapping
from typing import Any, Final

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope

from graphql_schema.documents.requests import GraphQLRequest
from graphql_schema.execution.idempotency import has_key
from graphql_schema.schema.upload_field import UploadValue
from graphql_schema.transport.http import HTTPRequestContext, parse_json, parse_parameters
from graphql_schema.transport.negotiation import Form, essence
from graphql_schema.transport.origins import MARKS
from services.catalogue import Problem
from services.catalogue.problems import (
    BAD_REQUEST,
    CSRF_SUSPECTED,
    IDEMPOTENCY_UNSUPPORTED,
    NOT_ACCEPTABLE,
    UNSUPPORTED_MEDIA_TYPE,
)
from services.engine.payment import DRY_RUN
from services.files.config import FilesConfig
from services.files.forms import FORM, Event, Part, before_the_file, boundary_of, form_events, interruptible, last_part
from services.files.uploading import NO_KEY, FormFile
from services.files.uploads import InterruptedUploadError

MAX_BYTES: Final = {"operations": 262_144, "map": 4_096}
"""The sizes of the parts before the file, in their order."""


def is_form(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a request is a form with files."""
    return essence(headers.get(b"content-type", b"")) == FORM


def is_graphql_upload(scope: Scope, path: str) -> bool:
    """Whether a request at `path` sends a file, so that the limits of uploads for size and time apply."""
    request_path: str = scope["path"].removeprefix(scope.get("root_path", ""))
    if scope["method"] != "POST" or request_path.rstrip("/") != path:
        return False
    media_types = [value for name, value in scope["headers"] if name == b"content-type"]
    return len(media_types) == 1 and essence(media_types[0]) == FORM


def check_form(headers: Mapping[bytes, bytes], form: Form | None, *, allowed: bool) -> None:
    """Check a form before it is read. `form` is the media type of the answer.

    Raises `unsupported_media_type`, `csrf_suspected`, `not_acceptable`, `idempotency_unsupported`, `bad_request`.
    """
    if not allowed:
        raise Problem(
            UNSUPPORTED_MEDIA_TYPE, "The body must be application/json: the setting GRAPHQL_UPLOADS allows no forms."
        )
    if not any(headers.get(name, b"").strip() for name in MARKS):
        names = ", ".join(name.decode() for name in MARKS)
        raise Problem(CSRF_SUSPECTED, f"Send one of the header fields {names} with a form.")
    if form is Form.EVENTS:
        raise Problem(NOT_ACCEPTABLE, "A form is not answered by events.")
    if has_key(headers):
        raise Problem(IDEMPOTENCY_UNSUPPORTED, NO_KEY)
    if DRY_RUN in headers:
        raise Problem(BAD_REQUEST, "A form has no dry run.")


async def read_form(request_context: HTTPRequestContext, receive: Receive) -> tuple[GraphQLRequest, UploadValue]:
    """Read a form up to its file, which must begin within the time that an upload may be idle.

    Returns the request and the file in its variables. Raises `bad_request`, `upload_stalled`, ClientDisconnect, and as
    `parse_parameters`.
    """
    limits, idle_seconds = request_context.gateway.limits, request_context.gateway.part(FilesConfig).idle_seconds
    body = interruptible(Request(request_context.scope, receive).stream(), ClientDisconnect)
    events = form_events(body, boundary_of(request_context.headers[b"content-type"].decode("latin-1")))
    try:
        async with before_the_file(idle_seconds):
            texts, part, first = await _texts(events)
    except InterruptedUploadError:
        raise ClientDisconnect from None
    parameters = parse_json("`operations`", texts["operations"], limits)
    if isinstance(parameters, list):
        raise Problem(BAD_REQUEST, "A form holds one request, not a batch.")
    request = parse_parameters(parameters, len(texts["operations"]), limits)
    container, member = _file_place(parse_json("`map`", texts["map"], limits), part.name, request.variables)
    length = request_context.headers.get(b"content-length", b"").decode("latin-1")
    file = UploadValue(FormFile(part, length, last_part(events, part.name, first)))
    container[member], request.has_file = file, True
    return request, file


async def _texts(events: AsyncIterator[Event]) -> tuple[dict[str, bytes], Part, bytes | None]:
    """Return the parts before the file by name, the file's part, and its first bytes."""
    texts: dict[str, bytearray] = {}
    expected = iter(MAX_BYTES)
    current: Part | None = None
    async for part, data in events:
        if part is not current:
            current, name = part, next(expected, None)
            if name is None:
                if part.filename is None:
                    raise Problem(BAD_REQUEST, "The third part of the form must be a file.")
                return {key: bytes(value) for key, value in texts.items()}, part, data
            if part.name != name:
                raise Problem(BAD_REQUEST, "The parts of the form must be `operations`, `map` and the file.")
        texts.setdefault(part.name, bytearray()).extend(data or b"")
        if len(texts[part.name]) > MAX_BYTES[part.name]:
            raise Problem(BAD_REQUEST, f"`{part.name}` may have at most {MAX_BYTES[part.name]:,} bytes.")
    raise Problem(BAD_REQUEST, "The form has no file.")


def _file_place(mapping: Any, name: str, variables: Mapping[str, Any]) -> tuple[MutableMapping[str, Any], str]:
    """Return the object that the named file belongs in, and the name of its member."""
    paths = mapping.get(name) if isinstance(mapping, dict) and len(mapping) == 1 else None
    if not isinstance(paths, list) or len(paths) != 1 or not isinstance(paths[0], str):
        raise Problem(BAD_REQUEST, "A form takes one file, for one mutation: `map` must name it, and one path.")
    *parents, member = paths[0].split(".")
    container: Any = {"variables": variables}
    for parent in parents:
        container = container.get(parent) if isinstance(container, dict) else None
    if not parents or not isinstance(container, dict) or container.get(member, "") is not None:
        raise Problem(BAD_REQUEST, "`map` must lead to a null in `variables`.")
    return container, member
