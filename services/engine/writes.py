"""What a write does within its unit of work: the rules around an operation's function, and the record of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from services.catalogue.calls import Call, HasParts
from services.catalogue.models import InputModel
from services.catalogue.naming import ETAG
from services.catalogue.operations import Kind, Operation
from services.catalogue.problems import PRECONDITION_REQUIRED, Problem
from services.engine.audit.recording import Audit
from services.engine.idempotency.once import IdempotentWrite
from services.engine.reading import Reads
from services.process import observation
from services.queries.selections import Input, Query
from services.queries.versions import UNTAGGED, Preconditions, tag_query
from services.storage.cascades import Cascades
from services.storage.flushing import flush
from services.storage.rows import check_placed, check_references, load_for_update, references


@dataclass(frozen=True, slots=True)
class Write:
    """What a face has parsed of a write: the key of the row, the input as JSON, and what to show of the result.

    `shown` is a query of the result's key, its one input; without it the result comes back as a record. `expected` is
    what has to hold of the row's version.
    """

    key: UUID | None = None
    data: bytes | Mapping[str, Any] | None = None
    shown: Query | None = None
    inputs: Sequence[Input] = ()
    """Of the slots behind the first."""
    expected: Preconditions | None = None
    idempotency: IdempotentWrite | None = None
    """The key of a write that is made once, however often it is sent."""


@dataclass(frozen=True, slots=True)
class Writes(Reads, HasParts):
    """The writing half of the Gateway (gateway.py), within a unit of work.

    `requires_versions`: who changes a row has to say which version of it.
    """

    parts: Mapping[type, Any] = field(default_factory=dict)
    requires_versions: bool = False

    @property
    def audit(self) -> Audit:
        return self.part(Audit)

    async def do(
        self, operation: Operation, call: Call, key: UUID | None, data: InputModel,
        expected: Preconditions | None = None,
    ) -> Any:  # fmt: skip
        """What an operation does within its unit of work, under all rules and recorded; returns what its function does.

        Raises the operation's Problems. Not for faces: they `write`.
        """
        arguments: list[Any] = [call]
        resource, place, before = operation.resource, None, {}
        if operation.on_a_row:
            assert resource is not None
            assert key is not None
            arguments.append(await load_for_update(call, resource, key, operation.action))
            place, before = references(resource, arguments[1]), dict(vars(arguments[1]))
        await self._check_version(operation, call, key, expected)
        if operation.input is not None:
            await check_references(call, self.catalogue, data)
            arguments.append(data)
        if operation.function is None:
            await self._delete(operation, call, arguments[1])
            await self.audit.done(operation, call, data, before)
            return None
        returned = await operation.function(*arguments)
        if resource is not None and operation.result is resource and references(resource, returned) != place:
            await check_placed(call, resource, returned)
        await flush(call.session)
        await self.audit.done(operation, call, data, before)
        return returned

    async def _check_version(
        self, operation: Operation, call: Call, key: UUID | None, expected: Preconditions | None
    ) -> None:
        """Compare with what the actor sees of the row, which must be locked by now: nobody comes in between.

        If-None-Match guards against nothing that others do, so it is no version that `requires_versions` is content
        with. Raises `precondition_required` and `precondition_failed`.
        """
        if self.requires_versions and operation.on_a_row and (expected is None or expected.match is None):
            raise Problem(PRECONDITION_REQUIRED)
        if expected is None:
            return
        tag = UNTAGGED if operation.kind is Kind.CREATE else None
        if operation.on_a_row:
            assert operation.resource is not None
            assert key is not None
            row = (await self.read_within(call, tag_query(operation.resource), (key,)))[ETAG]
            tag = None if row is None else row[ETAG]
        expected.check(tag)

    async def _delete(self, operation: Operation, call: Call, row: Any) -> None:
        if operation.before is not None:
            await operation.before(call, row)
        before = observation.statements()
        witness = self.audit.witness(operation, call)
        taken = await self.part(Cascades).follow(call.session, type(row), [row.id], witness)
        call.followed_by += observation.statements() - before
        for resource, keys in [(operation.resource, [row.id]), *taken.items()]:
            tell = self.catalogue.gone(resource) if resource is not None else None
            if tell is not None:
                tell(call, keys)
        await call.session.delete(row)
        await call.session.flush()
