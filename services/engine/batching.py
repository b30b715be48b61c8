"""Batches at work: entry after entry within one unit of work, their rows read together at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from services.catalogue.batches import OPERATIONS
from services.catalogue.calls import Call, Trace
from services.catalogue.operations import Operation
from services.catalogue.problems import UNAVAILABLE, Problem
from services.engine.writes import Write, Writes
from services.process import observation
from services.queries.batches import Batch, Entry, EntryOutcome, with_path_prefix
from services.reader.records import Records
from services.storage.base import Base
from services.storage.constraints import database_problems

ROWS: Final = "rows"
"""The key of the one root of what is shown of a batch: the rows that it has made or changed (a NodesRoot)."""
_STATUS: Final = {"create": 201, "update": 200, "delete": 204}


async def run_batch(
    gateway: Writes, operation: Operation, call: Call, write: Write, batch: Batch
) -> Sequence[EntryOutcome]:
    """Do what a batch says, in its order. Returns an outcome for each entry.

    An atomic batch raises the first Problem, with the entry's place in it; otherwise what one entry has done before
    it was refused is undone, and the others stand. `unavailable` ends any batch.
    """
    if write.expected is not None:
        write.expected.check(None)
    outcomes: list[EntryOutcome] = []
    for index, entry in enumerate(batch.entries):
        if isinstance(entry, Problem):
            outcomes.append(EntryOutcome(entry.type.status, problem=entry))
            continue
        try:
            key = await _enter(gateway, call, entry) if batch.atomic else await _apart(gateway, call, entry)
            outcomes.append(EntryOutcome(_STATUS[entry.verb], key))
        except Problem as problem:
            if batch.atomic or problem.type is UNAVAILABLE:
                raise with_path_prefix(problem, OPERATIONS, index, entry.verb, operation=index) from problem
            outcomes.append(EntryOutcome(problem.type.status, entry.key, with_path_prefix(problem, entry.verb)))
    call.trace = Trace()
    return await _shown(gateway, operation, call, write, outcomes)


async def _enter(gateway: Writes, call: Call, entry: Entry) -> UUID:
    """One entry; returns its row's key. Raises what refuses it."""
    call.trace = Trace()
    with database_problems(Base.metadata):
        returned = await gateway.do(entry.operation, call, entry.key, entry.data, entry.expected)
        await call.session.flush()
    key = entry.key if entry.key is not None else returned.id
    # What the next entry finds is what the database has, whatever becomes of this one.
    call.session.expunge_all()
    assert key is not None
    return key


async def _apart(gateway: Writes, call: Call, entry: Entry) -> UUID:
    """The same behind a savepoint, to which a Problem leads back."""
    actions = len(call.after_commit)
    savepoint = await call.session.begin_nested()
    await call.session.connection()  # whoever goes past SQLAlchemy finds it there
    try:
        key = await _enter(gateway, call, entry)
        await savepoint.commit()
    except Problem as problem:
        if problem.type is UNAVAILABLE:
            raise
        # To be asked while the row can still be read.
        refusal = gateway.audit.refusal(entry.operation, call, problem)
        await savepoint.rollback()
        call.session.expunge_all()
        del call.after_commit[actions:]
        await gateway.audit.add(refusal, call.session)
        raise
    return key


async def _shown(
    gateway: Writes, operation: Operation, call: Call, write: Write, outcomes: Sequence[EntryOutcome]
) -> Sequence[EntryOutcome]:
    resource = operation.resource
    assert resource is not None
    left = [each for each in outcomes if each.problem is None and each.status != _STATUS["delete"]]
    keys = list({each.key: None for each in left if each.key is not None})
    if not keys:
        return outcomes
    before = observation.statements()
    rows: Mapping[UUID, Any]
    if write.shown is None:
        rows = await Records(call.session, call.actor, gateway.cursors).many(resource, keys)
    else:
        answer = await gateway.read_within(call, write.shown, ([(resource, key) for key in keys], *write.inputs))
        rows = dict(zip(keys, answer[ROWS], strict=True))
    call.shown_by = observation.statements() - before
    return [replace(each, row=rows.get(each.key)) if each.key else each for each in outcomes]
