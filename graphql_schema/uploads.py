"""Files in GraphQL requests: the multipart request specification (jaydenseric/graphql-multipart-request-spec).

A form has `operations` (a request, with null where the file goes), `map` (the path of that null) and the file, which is
streamed to the store before the document runs: the null becomes its identifier, and the document is the one mutation
`completeFile` of it. Nothing else is another way of sending files. What is said of the file beside its name and type
(the input of `createFile`) stands in the request's `extensions.file`.

Browsers send forms unasked, so each must have a header field that makes them ask: being signed in by one is not enough.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, MutableMapping
from dataclasses import dataclass, replace
from typing import Any, Final

from graphql import FieldNode
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope

from graphql_schema.documents import Documents
from graphql_schema.errors import RefusedError
from graphql_schema.http import Asking, GraphQLRequest, json_of, parameters_of
from graphql_schema.idempotency import ARGUMENT, has_key
from graphql_schema.naming import field_name
from graphql_schema.negotiation import Form, essence
from graphql_schema.origins import MARKS
from graphql_schema.paying import till_of
from graphql_schema.references import found_document, slot_of
from graphql_schema.values import called_operations
from services.auth.authentication import Authenticator
from services.budget.till import DRY_RUN
from services.catalogue import InputModel, Operation, Problem
from services.catalogue.naming import camel
from services.catalogue.problems import (
    BAD_REQUEST,
    CSRF_SUSPECTED,
    IDEMPOTENCY_UNSUPPORTED,
    NOT_ACCEPTABLE,
    UNSUPPORTED_MEDIA_TYPE,
)
from services.files.config import FilesConfig
from services.files.forms import FORM, Event, Part, awaited, before_the_file, boundary_of, form_events, last_part
from services.files.uploads import InterruptedUploadError
from services.uploading import COMPLETE, CREATE, NO_KEY, SentFile, send_file, with_part

MAX_BYTES: Final = {"operations": 262_144, "map": 4_096}
"""Of the parts before the file, in their order."""
_EXTENSION: Final = "file"
_CONDITIONS: Final = ("skip", "include")


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


async def sent_file(asking: Asking, receive: Receive, documents: Documents) -> tuple[GraphQLRequest, SentFile]:
    """Take in the file of a form: the request that names it, and the file. Whoever calls runs that, then forgets it.

    Nothing is read for those who may not send, and nothing is sent for a document that does not complete it. Raises
    RefusedError, OverdrawnError, and as `read_form` and `send_file`.
    """
    gateway = asking.gateway
    complete = gateway.catalogue.operations[COMPLETE]
    actor = await gateway.part(Authenticator).actor_for([complete], asking.presented)
    await gateway.admit(complete, actor, asking.client)
    with slot_of(asking, actor):
        try:
            form = await read_form(asking, receive)
            await _check_document(asking, form.asked, documents, complete)
            length, till = asking.headers.get(b"content-length", b""), till_of(asking, form.asked, actor)
            file = await send_file(
                gateway, actor, asking.client, form.fields, length.decode("latin-1"), form.body, till
            )  # fmt: skip
        except InterruptedUploadError:
            raise ClientDisconnect from None
    form.holder[form.member] = gateway.catalogue.resources["file"].encode(file.key)
    return form.asked, file


async def _check_document(asking: Asking, asked: GraphQLRequest, documents: Documents, only: Operation) -> None:
    # Of a copy: a document that is named is looked for again when it runs.
    asked = replace(asked)
    await found_document(asking, asked, documents)
    prepared = documents.prepare(asked.query)
    if prepared.structure or prepared.document is None:
        raise RefusedError(prepared.structure)
    operation = prepared.operation(asked.operation_name)
    called, (field, *more) = called_operations(asking.gateway.catalogue, operation), operation.selection_set.selections
    if called != [only] or more or not isinstance(field, FieldNode):
        raise Problem(BAD_REQUEST, f"The document of a form must be one field, `{field_name(only)}`.")
    if any(each.name.value in _CONDITIONS for each in field.directives or ()):
        raise Problem(BAD_REQUEST, f"`{field_name(only)}` must be asked for without a condition in a form.")
    if any(each.name.value == ARGUMENT for each in field.arguments or ()):
        raise Problem(IDEMPOTENCY_UNSUPPORTED, NO_KEY)


@dataclass(frozen=True, slots=True)
class SentForm:
    """A form up to its file: the request, what holds the null that the file is named by, and what is said of it."""

    asked: GraphQLRequest
    fields: Mapping[str, Any]
    holder: MutableMapping[str, Any]
    member: str
    body: AsyncIterator[bytes]


async def read_form(asking: Asking, receive: Receive) -> SentForm:
    """Read a form as far as its file, all of which must come in the time that an upload may send nothing.

    Raises `bad_request`, `upload_stalled`, InterruptedUploadError, and as `parameters_of`.
    """
    gateway = asking.gateway
    idle_seconds = gateway.part(FilesConfig).idle_seconds
    body = awaited(aiter(Request(asking.scope, receive).stream()), idle_seconds, ClientDisconnect)
    events = form_events(body, boundary_of(asking.headers[b"content-type"].decode("latin-1")))
    async with before_the_file(idle_seconds):
        texts, part, first = await _texts(events)
    found = json_of("`operations`", texts["operations"], gateway.limits)
    if isinstance(found, list):
        raise Problem(BAD_REQUEST, "A form holds one request, not a batch.")
    asked = parameters_of(found, len(texts["operations"]), gateway.limits)
    holder, member = _place(json_of("`map`", texts["map"], gateway.limits), part.name, asked.variables)
    create = gateway.catalogue.operations[CREATE]
    assert create.input is not None
    given = asked.extensions.get(_EXTENSION) or {}
    if not isinstance(given, dict):
        raise Problem(BAD_REQUEST, f"`extensions.{_EXTENSION}` must be an object.")
    fields = with_part(_fields(create.input, given), part)
    return SentForm(asked, fields, holder, member, last_part(events, part.name, first))


def _fields(model: type[InputModel], given: Mapping[str, Any]) -> dict[str, Any]:
    """What is said of a file, by the services' names. Raises `validation_failed` for these where GraphQL has others."""
    names = {camel(name): name for name in model.model_fields}
    for name in given:
        if name not in names and name in model.model_fields:
            raise Problem.field(name, "unknown", f"This is called `{camel(name)}` here.")
    return {names.get(name) or name: value for name, value in given.items()}


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
        raise Problem(BAD_REQUEST, "`map` must name one path for the one file.")
    *above, member = paths[0].split(".")
    holder: Any = {"variables": variables}
    for each in above:
        holder = holder.get(each) if isinstance(holder, dict) else None
    if not above or not isinstance(holder, dict) or holder.get(member, "") is not None:
        raise Problem(BAD_REQUEST, "`map` must lead to a null in `variables`.")
    return holder, member
