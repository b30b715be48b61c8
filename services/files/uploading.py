"""Upload of a file in one request, on either face: announced, sent and completed, or not at all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from services.catalogue import Problem
from services.catalogue.models import NoInput
from services.engine.authorization import Admitted
from services.engine.gateway import Gateway, WriteResult
from services.engine.payment import Payment
from services.engine.writes import Write
from services.files.config import FilesConfig
from services.files.forms import MAX_FIELD_BYTES, Part
from services.files.operations import forget_file
from services.files.schemas import FileUpload
from services.files.uploads import UploadRange, received
from services.queries.lists import Record
from services.queries.selections import Input, Query
from services.queries.versions import Preconditions

UPLOAD: Final = "upload_file"
"""The name of the GraphQL field. REST has no name for it, but the form of `create_file`."""
CREATE: Final = "create_file"
COMPLETE: Final = "complete_file"
DELETE: Final = "delete_file"
NO_KEY: Final = "A form takes no idempotency key: announce the file by JSON with one, and send its bytes then."


@dataclass(frozen=True, slots=True)
class FormFile:
    """The file of a form, with its bytes still to be read. `length` is the request's Content-Length."""

    part: Part
    length: str
    body: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class Uploader:
    """The caller of an upload, admitted to announce the file; `payment` charges for it."""

    gateway: Gateway
    admitted: Admitted
    payment: Payment | None = None


async def upload_file(
    sender: Uploader, file: FormFile, fields: Mapping[str, Any], expected: Preconditions | None = None,
    shown: Query | None = None, inputs: Sequence[Input] = (),
) -> Record | WriteResult:  # fmt: skip
    """Receive a file as a whole: checked and complete, or not at all.

    `fields` is the input of `create_file`; name and media type default to those of the file's part, and without a size
    the request's length is the limit. `expected` is the precondition of announcing it. `shown` and `inputs` select what
    to return of the file (see Write); without them it is returned as a record. Raise the Problems of `create_file`,
    `received` and `complete_file`.
    """
    gateway, sending = sender.gateway, sender.admitted
    of_part = {"name": file.part.filename, "media_type": file.part.media_type}
    fields = {**{name: value for name, value in of_part.items() if value}, **fields}
    exact = "size" in fields
    if not exact:  # what is received at most counts against the quota until the size is known
        if not file.length.isdigit() or len(file.length) > 18:
            raise Problem.field("size", "required", "Send Content-Length, or the size of the file before it.")
        length, limit = int(file.length), gateway.part(FilesConfig).max_bytes
        fields["size"] = min(length, limit) if length <= limit + MAX_FIELD_BYTES else limit + 1
    announced = await gateway.write(sending, Write(data=fields, expected=expected), sender.payment)
    assert isinstance(announced, FileUpload)
    result = None
    try:
        await received(gateway, announced.id, UploadRange(), file.body, exact=exact)
        admitted = await gateway.admit(gateway.catalogue.operations[COMPLETE], sending.actor, sending.client)
        result = await gateway.write(admitted, Write(announced.id, None, shown, inputs))
    finally:
        if result is None:
            await _delete(sender, announced.id)
    assert isinstance(result, (Mapping, WriteResult))
    return result


async def _delete(sender: Uploader, key: UUID) -> None:
    async with sender.gateway.unit_of_work(sender.admitted.actor, sender.admitted.client) as call:
        call.trace.row = await forget_file(call, key)
        if call.trace.row is not None:
            await sender.gateway.audit.done(sender.gateway.catalogue.operations[DELETE], call, NoInput(), {})
