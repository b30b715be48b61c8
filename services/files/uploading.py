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


async def upload_file(
    gateway: Gateway, creation: Admitted, file: FormFile, fields: Mapping[str, Any], payment: Payment | None = None,
    expected: Preconditions | None = None, shown: Query | None = None, inputs: Sequence[Input] = (),
) -> Record | WriteResult:  # fmt: skip
    """Receive a file as a whole: checked and complete, or not at all.

    `fields` is the input of `create_file`, to which `creation` admits; name and media type default to those of the
    file's part, and without a size the request's length is the limit. `shown` and `inputs` select what to return of the
    file (see Write). Raise the Problems of `create_file`, `received` and `complete_file`.
    """
    of_part = {"name": file.part.filename, "media_type": file.part.media_type}
    data = {**{name: value for name, value in of_part.items() if value}, **fields}
    exact = "size" in data
    if not exact:  # what is received at most counts against the quota until the size is known
        if not file.length.isdigit() or len(file.length) > 18:
            raise Problem.field("size", "required", "Send Content-Length, or the size of the file before it.")
        length, limit = int(file.length), gateway.part(FilesConfig).max_bytes
        data["size"] = min(length, limit) if length <= limit + MAX_FIELD_BYTES else limit + 1
    announced = await gateway.write(creation, Write(data=data, expected=expected), payment)
    assert isinstance(announced, FileUpload)
    result = None
    try:
        await received(gateway, announced.id, UploadRange(), file.body, exact=exact)
        admitted = await gateway.admit(gateway.catalogue.operations[COMPLETE], creation.actor, creation.client)
        result = await gateway.write(admitted, Write(announced.id, None, shown, inputs))
    finally:
        if result is None:
            await _delete(gateway, creation, announced.id)
    assert isinstance(result, (Mapping, WriteResult))
    return result


async def _delete(gateway: Gateway, creation: Admitted, key: UUID) -> None:
    async with gateway.unit_of_work(creation.actor, creation.client) as call:
        call.trace.row = await forget_file(call, key)
        if call.trace.row is not None:
            await gateway.audit.done(gateway.catalogue.operations[DELETE], call, NoInput(), {})
