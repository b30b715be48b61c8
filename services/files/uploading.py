"""A file in one request, on either face: announced, sent and completed, or nothing of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from services.catalogue import ANONYMOUS, Actor, Client, Problem
from services.catalogue.models import NoInput
from services.engine.audit.recording import Attempt
from services.engine.gateway import Gateway, Shown
from services.engine.payment import Till
from services.engine.writes import Write
from services.files.config import FilesConfig
from services.files.forms import MAX_FIELD_BYTES, Part
from services.files.operations import forget_file
from services.files.schemas import FileUpload
from services.files.uploads import Sent, received
from services.queries.lists import Record
from services.queries.selections import Input, Query
from services.queries.versions import Expected

UPLOAD: Final = "upload_file"
"""What GraphQL calls it; REST has no name for it, but the form of `create_file`."""
CREATE: Final = "create_file"
COMPLETE: Final = "complete_file"
DELETE: Final = "delete_file"
NO_KEY: Final = "A form takes no idempotency key: announce the file by JSON with one, and send its bytes then."


@dataclass(frozen=True, slots=True)
class FormFile:
    """The file of a form, whose bytes are still to come: `length` is what the request says of its own."""

    part: Part
    length: str
    body: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends a file, with what, and where they pay for it."""

    gateway: Gateway
    actor: Actor
    client: Client
    till: Till | None = None


async def upload_file(
    sender: Sender, file: FormFile, fields: Mapping[str, Any], expected: Expected | None = None,
    shown: Query | None = None, inputs: Sequence[Input] = (),
) -> Record | Shown:  # fmt: skip
    """Take in a file: all of it, checked and complete, or nothing.

    `fields` is the input of `create_file`; what it leaves out, the file's own part says, and without a size the
    request's length bounds it. `expected`: what has to hold before it is announced. `shown`, `inputs`: what to show of
    the file (see Write); without it, it comes back as a record. Raises as `create_file`, `received` and
    `complete_file`.
    """
    key = await _sent(sender, file, fields, expected)
    complete, result = sender.gateway.catalogue.operations[COMPLETE], None
    try:
        result = await sender.gateway.write(complete, sender.actor, Write(key, None, shown, inputs), sender.client)
    finally:
        if result is None:
            await _forget(sender, key)
    assert isinstance(result, (Mapping, Shown))
    return result


async def _sent(sender: Sender, file: FormFile, fields: Mapping[str, Any], expected: Expected | None) -> UUID:
    """The key of a file that has been announced and has come."""
    gateway, create = sender.gateway, sender.gateway.catalogue.operations[CREATE]
    fields = _with_part(fields, file.part)
    exact = "size" in fields
    if not exact:
        fields["size"] = _most(file.length, gateway)
    write = Write(data=fields, expected=expected)
    announced = await gateway.write(create, sender.actor, write, sender.client, sender.till)
    assert isinstance(announced, FileUpload)
    is_there = False
    try:
        await received(
            gateway.parts, lambda: gateway.unit_of_work(ANONYMOUS), announced.id, Sent(), file.body, exact=exact
        )  # fmt: skip
        is_there = True
    finally:
        if not is_there:
            await _forget(sender, announced.id)
    return announced.id


async def _forget(sender: Sender, key: UUID) -> None:
    """Delete a file, unless it has been completed; the audit has that as what its sender did."""
    async with sender.gateway.unit_of_work(sender.actor, sender.client) as call:
        call.trace.row = await forget_file(call, key)
        if call.trace.row is not None:
            attempt = Attempt.of(sender.gateway.catalogue.operations[DELETE], call)
            await sender.gateway.audit.done(attempt, call.session, NoInput(), {})


def _with_part(fields: Mapping[str, Any], part: Part) -> dict[str, Any]:
    """What is said of a file, with what the header of its own part says where nothing else does."""
    told = {"name": part.filename, "media_type": part.media_type}
    return {**{name: value for name, value in told.items() if value}, **fields}


def _most(length: str, gateway: Gateway) -> int:
    """How many bytes the file can have at most: so many are set aside until it is known."""
    if not length.isdigit() or len(length) > 18:
        raise Problem.field("size", "required", "Send Content-Length, or the size of the file before it.")
    most = gateway.part(FilesConfig).max_bytes
    return min(int(length), most) if int(length) <= most + MAX_FIELD_BYTES else most + 1
