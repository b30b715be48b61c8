"""The one way to call an operation: both faces go through `Gateway`, and read relations through its Readers.

The order is fixed: credentials, input, unit of work, row under its policy, references, the operation's function, the
policy on what was written, the result read by the Reader, commit, what follows the commit.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import structlog

from services import observation
from services.catalogue.actors import Actor, Client
from services.catalogue.calls import Call, Part
from services.catalogue.catalogue import Catalogue
from services.catalogue.cursors import CursorCodec
from services.catalogue.models import InputModel, NoInput, ResultModel, parse_input
from services.catalogue.operations import Kind, Operation
from services.catalogue.problems import INSUFFICIENT_SCOPE, NOT_FOUND, UNAUTHENTICATED, Problem
from services.catalogue.relations import Relation
from services.catalogue.resources import Resource
from services.catalogue.selections import ListArguments, Page, Record, Selection, check_size
from services.storage.base import utc_now
from services.storage.database import Database
from services.storage.reader import Reader
from services.storage.rows import check_placed, check_references, load_for, references

log = structlog.get_logger(__name__)

Result = Record | Page | ResultModel | None


@dataclass(frozen=True, slots=True)
class Request:
    """What a face has parsed: the key of the row, the input as JSON, the arguments of a list, what to read.

    Without a `selection`, all fields are read and no relation.
    """

    key: UUID | None = None
    data: bytes | Mapping[str, Any] | None = None
    arguments: ListArguments | None = None
    selection: Selection | None = None


@dataclass(frozen=True, slots=True)
class Gateway:
    """What is behind both faces: the catalogue, the database, and the long-lived parts that operations use."""

    catalogue: Catalogue
    database: Database
    cursors: CursorCodec
    parts: Mapping[type, Any] = field(default_factory=dict)

    def part(self, kind: type[Part]) -> Part:
        """A long-lived part of the process by its type."""
        found = self.parts[kind]
        assert isinstance(found, kind)
        return found

    async def execute(
        self, operation: Operation, actor: Actor, request: Request, client: Client | None = None
    ) -> Result:
        """Call an operation.

        Returns a Record for a row, a Page for a list, a ResultModel, or None. Raises the operation's Problems.
        """
        authorize(operation, actor)
        if request.selection is not None:
            authorize_selection(request.selection, actor)
            check_size(request.selection, request.arguments.limit if request.arguments else 1)
        if operation.is_read:
            async with self.reading(actor) as reader:
                return await self._read(operation, reader, request)
        data = parse_input(operation.input or NoInput, request.data or b"{}")
        async with self.unit_of_work(actor, client) as call:
            result = await self._write(operation, call, request.key, data, request.selection)
        observation.note_actor(str(call.actor))
        return result

    @asynccontextmanager
    async def unit_of_work(self, actor: Actor, client: Client | None = None) -> AsyncIterator[Call]:
        """A call in a transaction, committed at the end; a Problem rolls it back unless it says to keep what was done.

        What PostgreSQL refuses is raised as a Problem.
        """
        async with self.database.unit_of_work() as session:
            call = Call(actor, session, utc_now(), self.parts, client or Client())
            try:
                yield call
            except Problem as problem:
                if problem.keep:
                    await session.commit()
                    await self._follow_up(call)
                raise
            await session.commit()
        await self._follow_up(call)

    async def count(self, operation: Operation, actor: Actor, arguments: ListArguments) -> int:
        """The size of the whole list of a list operation."""
        authorize(operation, actor)
        assert operation.resource is not None
        async with self.reading(actor) as reader:
            return await reader.count(operation.resource, arguments, operation.where)

    @asynccontextmanager
    async def reading(self, actor: Actor) -> AsyncIterator[Reader]:
        """A Reader with a session of its own. Raises `unavailable` when the database is."""
        async with self.database.reading() as session:
            yield Reader(session, actor, self.cursors)

    async def related(
        self, relation: Relation, actor: Actor, key: UUID, arguments: ListArguments, selection: Selection
    ) -> Page:
        """A page of a to-many relation of one row. Raises `not_found` when the row is not readable."""
        authorize_relation(relation, actor)
        authorize_selection(selection, actor)
        check_size(selection, arguments.limit)
        async with self.reading(actor) as reader:
            if await reader.get(relation.source, key) is None:
                raise Problem(NOT_FOUND)
            page = (await reader.related(relation, [key], arguments))[key]
            await reader.attach(relation.target, page.records, selection)
            return page

    async def _read(self, operation: Operation, reader: Reader, request: Request) -> Record | Page:
        resource = operation.resource
        assert resource is not None
        if operation.kind is Kind.LIST:
            assert request.arguments is not None
            page = await reader.page(resource, request.arguments, operation.where)
            await _attach(reader, resource, page.records, request.selection)
            return page
        if operation.where is not None:
            record = await reader.find(resource, operation.where)
        else:
            assert request.key is not None
            record = await reader.get(resource, request.key)
        if record is None:
            raise Problem(NOT_FOUND)
        await _attach(reader, resource, [record], request.selection)
        return record

    async def _write(
        self, operation: Operation, call: Call, key: UUID | None, data: InputModel, selection: Selection | None
    ) -> Result:
        arguments: list[Any] = [call]
        resource, place = operation.resource, None
        if operation.on_a_row:
            assert resource is not None
            assert key is not None
            arguments.append(await load_for(call, resource, key, operation.action))
            place = references(resource, arguments[1])
        if operation.input is not None:
            await check_references(call, self.catalogue, data)
            arguments.append(data)
        if operation.function is None:
            await _delete(operation, call, arguments[1])
            return None
        returned = await operation.function(*arguments)
        if resource is not None and operation.result is resource and references(resource, returned) != place:
            await check_placed(call, resource, returned)
        await call.session.flush()
        if not isinstance(operation.result, Resource):
            assert returned is None or isinstance(returned, ResultModel)
            return returned
        reader = Reader(call.session, call.actor, self.cursors)
        record = await reader.get(operation.result, returned.id)
        if record is None:
            raise Problem(NOT_FOUND)
        await _attach(reader, operation.result, [record], selection)
        return record

    async def _follow_up(self, call: Call) -> None:
        for action in call.after_commit:
            try:
                await action()
            except Exception:
                # The change is made; what follows it must not turn its answer into a failure.
                log.exception("after_commit_failed", actor=str(call.actor))


async def _delete(operation: Operation, call: Call, row: Any) -> None:
    if operation.before is not None:
        await operation.before(call, row)
    await call.session.delete(row)
    await call.session.flush()


async def _attach(
    reader: Reader, resource: Resource[Any], records: Sequence[Record], selection: Selection | None
) -> None:
    if selection is not None and selection.relations:
        await reader.attach(resource, records, selection)


def authorize(operation: Operation, actor: Actor) -> None:
    """The check before everything else, noted. Raises `unauthenticated` or `insufficient_scope`."""
    observation.note(operation.name, str(actor))
    if operation.scope is not None:
        _require(operation.scope, actor)


def authorize_relation(relation: Relation, actor: Actor) -> None:
    """Reading a relation needs the scopes of both its ends; noted. Raises as `authorize`."""
    observation.note(f"list_{relation.source.name}_{relation.name}", str(actor))
    authorize_read(relation.source, actor)
    authorize_read(relation.target, actor)


def authorize_read(resource: Resource[Any], actor: Actor) -> None:
    """Reading a resource needs its scope, on whatever path. Raises `unauthenticated` or `insufficient_scope`."""
    _require(resource.read_scope, actor)


def authorize_selection(selection: Selection, actor: Actor) -> None:
    """Every relation of a selection must be readable with the actor's scopes. Raises as `authorize_read`."""
    for related in selection.relations:
        authorize_read(related.relation.target, actor)
        authorize_selection(related.selection, actor)


def _require(scope: str, actor: Actor) -> None:
    if actor.is_anonymous:
        raise Problem(UNAUTHENTICATED)
    if scope and scope not in actor.scopes:
        raise Problem(INSUFFICIENT_SCOPE, f"This needs the scope {scope}.", scope=scope)
