"""Files in GraphQL requests: the multipart request specification (jaydenseric/graphql-multipart-request-spec).

A form has `operations` (a request, with null where the file goes), `map` (the path of that null) and the file. The
document is the one mutation `uploadFile`, which takes the file while it comes (upload_field.py): what is wrong with the
request itself is told before anything of the file is read.

Browsers send forms unasked, so each must have a header field that makes them ask: being signed in by one is not enough.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, MutableMapping
from typing import Any, Final

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope

from graphql_schema.documents.requests import GraphQLRequest
from graphql_schema.execution.idempotency import has_key
from graphql_schema.schema.upload_field import SentFile
from graphql_schema.transport.http import Asking, json_of, parameters_of
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
from services.files.forms import FORM, Event, Part, awaited, before_the_file, boundary_of, form_events, last_part
from services.files.uploading import NO_KEY, FormFile
from services.files.uploads import InterruptedUploadError

MAX_BYTES: Final = {"operations": 262_144, "map": 4_096}
"""Of the parts before the file, in their order."""


def is_form(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a request is a form with files."""
    return essence(headers.get(b"content-type", b"")) == FORM


def is_graphql_upload(scope: Scope, path: str) -> bool:
    """Whether a request at `path` sends a file, and so has bounds of its own: of length, and of time."""
    asked: str = scope["path"].removeprefix(scope.get("root_path", ""))
    if scope["method"] != "POST" or asked.rstrip("/") != path:
        return False
    kinds = [value for name, value in scope["headers"] if name == b"content-type"]
    return len(kinds) == 1 and essence(kinds[0]) == FORM


def check_form(headers: Mapping[bytes, bytes], form: Form | None, *, allowed: bool) -> None:
    """Raises what a form is refused for before it is read; `form` is what its answer is written as."""
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


async def read_form(asking: Asking, receive: Receive) -> tuple[GraphQLRequest, SentFile]:
    """Read a form as far as its file, all of which must come in the time that an upload may send nothing.

    Returns the request, and the file that is among its variables. Raises `bad_request`, `upload_stalled`, and as
    `parameters_of`; ClientDisconnect.
    """
    limits, idle_seconds = asking.gateway.limits, asking.gateway.part(FilesConfig).idle_seconds
    body = awaited(aiter(Request(asking.scope, receive).stream()), idle_seconds, ClientDisconnect)
    events = form_events(body, boundary_of(asking.headers[b"content-type"].decode("latin-1")))
    try:
        async with before_the_file(idle_seconds):
            texts, part, first = await _texts(events)
    except InterruptedUploadError:
        raise ClientDisconnect from None
    found = json_of("`operations`", texts["operations"], limits)
    if isinstance(found, list):
        raise Problem(BAD_REQUEST, "A form holds one request, not a batch.")
    asked = parameters_of(found, len(texts["operations"]), limits)
    holder, member = _place(json_of("`map`", texts["map"], limits), part.name, asked.variables)
    length = asking.headers.get(b"content-length", b"").decode("latin-1")
    file = SentFile(FormFile(part, length, last_part(events, part.name, first)))
    holder[member], asked.has_file = file, True
    return asked, file


async def _texts(events: AsyncIterator[Event]) -> tuple[dict[str, bytes], Part, bytes | None]:
    """The parts before the file by their names, the file's part, and its first bytes."""
    found: dict[str, bytearray] = {}
    expected = iter(MAX_BYTES)
    part: Part | None = None
    async for each, data in events:
        if each is not part:
            part, name = each, next(expected, None)
            if name is None:
                if part.filename is None:
                    raise Problem(BAD_REQUEST, "The third part of the form must be a file.")
                return {key: bytes(value) for key, value in found.items()}, part, data
            if part.name != name:
                raise Problem(BAD_REQUEST, "The parts of the form must be `operations`, `map` and the file.")
        found.setdefault(each.name, bytearray()).extend(data or b"")
        if len(found[each.name]) > MAX_BYTES[each.name]:
            raise Problem(BAD_REQUEST, f"`{each.name}` may have at most {MAX_BYTES[each.name]:,} bytes.")
    raise Problem(BAD_REQUEST, "The form has no file.")


def _place(mapped: Any, name: str, variables: Mapping[str, Any]) -> tuple[MutableMapping[str, Any], str]:
    """The object, and the member of it, that is null for the file of this name."""
    paths = mapped.get(name) if isinstance(mapped, dict) and len(mapped) == 1 else None
    if not isinstance(paths, list) or len(paths) != 1 or not isinstance(paths[0], str):
        raise Problem(BAD_REQUEST, "A form takes one file, for one mutation: `map` must name it, and one path.")
    *above, member = paths[0].split(".")
    holder: Any = {"variables": variables}
    for each in above:
        holder = holder.get(each) if isinstance(holder, dict) else None
    if not above or not isinstance(holder, dict) or holder.get(member, "") is not None:
        raise Problem(BAD_REQUEST, "`map` must lead to a null in `variables`.")
    return holder, member
