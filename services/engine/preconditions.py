"""Whether what a caller expects of a row's version holds, in the transaction that changes it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from services.catalogue.naming import ETAG
from services.catalogue.operations import Kind, Operation
from services.catalogue.problems import PRECONDITION_REQUIRED, Problem
from services.queries.selections import Query
from services.queries.versions import UNTAGGED, Preconditions, tag_query

Read = Callable[[Query, tuple[UUID]], Awaitable[dict[str, Any]]]
"""From a query and the key of its row to the answer, as the transaction sees it."""


async def check_version(
    operation: Operation, key: UUID | None, expected: Preconditions | None, read: Read, *, required: bool
) -> None:
    """Compare with what the actor sees of the row, which must be locked by now: nobody comes in between.

    `required`: who changes a row has to expect something of it; If-None-Match does not count, which guards against
    nothing that others do. Raises `precondition_required` and `precondition_failed`.
    """
    if required and operation.on_a_row and (expected is None or expected.match is None):
        raise Problem(PRECONDITION_REQUIRED)
    if expected is not None:
        expected.check(await _current(operation, key, read))


async def _current(operation: Operation, key: UUID | None, read: Read) -> str | None:
    if not operation.on_a_row:
        return UNTAGGED if operation.kind is Kind.CREATE else None
    assert operation.resource is not None
    assert key is not None
    row = (await read(tag_query(operation.resource), (key,)))[ETAG]
    tag: str | None = None if row is None else row[ETAG]
    return tag
