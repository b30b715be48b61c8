"""A file in one request, on either face: announced and sent, to be completed by whoever calls."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final
from uuid import UUID

from services.budget.till import Till
from services.catalogue import ANONYMOUS, Actor, Client, Problem
from services.catalogue.versions import Expected
from services.execution import Gateway, Write
from services.files.config import FilesConfig
from services.files.forms import MAX_FIELD_BYTES, Part
from services.files.operations import forget_file
from services.files.schemas import FileUpload
from services.files.uploads import Sent, received

CREATE: Final = "create_file"
COMPLETE: Final = "complete_file"
NO_KEY: Final = "A form takes no idempotency key: announce the file by JSON with one, and send its bytes then."


def with_part(fields: Mapping[str, Any], part: Part) -> dict[str, Any]:
    """What is said of a file, with what the header of its own part says where nothing else does."""
    told = {"name": part.filename, "media_type": part.media_type}
    return {**{name: value for name, value in told.items() if value}, **fields}


async def send_file(
    gateway: Gateway, actor: Actor, client: Client, fields: Mapping[str, Any], length: str, body: AsyncIterator[bytes],
    till: Till | None, expected: Expected | None = None,
) -> UUID:  # fmt: skip
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
    sent = False
    try:
        await received(
            gateway.parts, lambda: gateway.unit_of_work(ANONYMOUS), announced.id, Sent(), body, exact=exact
        )  # fmt: skip
        sent = True
    finally:
        if not sent:
            await forget_sent(gateway, announced.id)
    return announced.id


async def forget_sent(gateway: Gateway, key: UUID) -> None:
    """Delete a file that has not been completed."""
    async with gateway.unit_of_work(ANONYMOUS) as call:
        await forget_file(call, key)


def _most(length: str, gateway: Gateway) -> int:
    """How many bytes the file can have at most: so many are set aside until it is known."""
    if not length.isdigit() or len(length) > 18:
        raise Problem.field("size", "required", "Send Content-Length, or the size of the file before it.")
    most = gateway.part(FilesConfig).max_bytes
    return min(int(length), most) if int(length) <= most + MAX_FIELD_BYTES else most + 1
