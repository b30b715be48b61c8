"""A file in one request, on either face: announced and sent, to be completed by whoever calls."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from services.audit.recording import Attempt
from services.budget.till import Till
from services.catalogue import ANONYMOUS, Actor, Client, Problem
from services.catalogue.models import NoInput
from services.catalogue.versions import Expected
from services.execution import Gateway, Write
from services.files.config import FilesConfig
from services.files.forms import MAX_FIELD_BYTES, Part
from services.files.operations import forget_file
from services.files.schemas import FileUpload
from services.files.uploads import Sent, received

CREATE: Final = "create_file"
COMPLETE: Final = "complete_file"
DELETE: Final = "delete_file"
NO_KEY: Final = "A form takes no idempotency key: announce the file by JSON with one, and send its bytes then."


def with_part(fields: Mapping[str, Any], part: Part) -> dict[str, Any]:
    """What is said of a file, with what the header of its own part says where nothing else does."""
    told = {"name": part.filename, "media_type": part.media_type}
    return {**{name: value for name, value in told.items() if value}, **fields}


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file that somebody has announced, and has sent in the same request: to be completed, or forgotten."""

    gateway: Gateway
    actor: Actor
    client: Client
    key: UUID

    async def forget(self) -> None:
        """Delete it, unless it has been completed; the audit has that as what its sender did."""
        async with self.gateway.unit_of_work(self.actor, self.client) as call:
            call.trace.row = await forget_file(call, self.key)
            if call.trace.row is not None:
                attempt = Attempt.of(self.gateway.catalogue.operations[DELETE], call)
                await self.gateway.audit.done(attempt, call.session, NoInput(), {})


async def send_file(
    gateway: Gateway, actor: Actor, client: Client, fields: Mapping[str, Any], length: str, body: AsyncIterator[bytes],
    till: Till | None, expected: Expected | None = None,
) -> SentFile:  # fmt: skip
    """Take in a file: all of it, checked, or nothing. Without a size among `fields` that of the request bounds it.

    `expected`: what has to hold before it is announced. Raises as `create_file` and `received`.
    Whoever calls completes the file, or forgets it.
    """
    exact = "size" in fields
    if not exact:
        fields = {**fields, "size": _most(length, gateway)}
    write = Write(data=fields, expected=expected)
    announced = await gateway.write(gateway.catalogue.operations[CREATE], actor, write, client, till)
    assert isinstance(announced, FileUpload)
    file, is_there = SentFile(gateway, actor, client, announced.id), False
    try:
        await received(gateway.parts, lambda: gateway.unit_of_work(ANONYMOUS), file.key, Sent(), body, exact=exact)
        is_there = True
    finally:
        if not is_there:
            await file.forget()
    return file


def _most(length: str, gateway: Gateway) -> int:
    """How many bytes the file can have at most: so many are set aside until it is known."""
    if not length.isdigit() or len(length) > 18:
        raise Problem.field("size", "required", "Send Content-Length, or the size of the file before it.")
    most = gateway.part(FilesConfig).max_bytes
    return min(int(length), most) if int(length) <= most + MAX_FIELD_BYTES else most + 1
