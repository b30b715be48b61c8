"""What goes into the audit, and how: `services.engine.gateway` calls this for every write, so that no operation has to.

Names of fields and identifiers go in, never values: no secret can. Each event is one prepared statement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final
from uuid import UUID

import structlog
from cachetools import TTLCache
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapper

from services.catalogue.actors import Actor, Client
from services.catalogue.calls import Call, Trace
from services.catalogue.catalogue import Catalogue
from services.catalogue.identifiers import new_key
from services.catalogue.models import InputModel, fields_of
from services.catalogue.operations import Kind, Operation
from services.catalogue.problems import (
    EMAIL_UNVERIFIED,
    FORBIDDEN,
    INSUFFICIENT_SCOPE,
    INVALID_CREDENTIALS,
    TOO_MANY_REQUESTS,
    Problem,
)
from services.engine.audit.affected import affected
from services.engine.audit.models import AuditEvent, Outcome
from services.identity.workspaces.models import Workspace
from services.process import observation
from services.process.networks import network_of
from services.storage.base import utc_now
from services.storage.cascades import Witness
from services.storage.database import Database
from services.storage.prepared import Prepared, given

Event = dict[str, Any]
"""The values of an event's columns."""

log = structlog.get_logger(__name__)

_OF_PRIVILEGES: Final = (FORBIDDEN, INSUFFICIENT_SCOPE)
_OF_SIGN_IN: Final = (INVALID_CREDENTIALS, EMAIL_UNVERIFIED)
_SECONDS: Final = 60
"""For how long nothing more is written about somebody who tries too often to sign in."""
_REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Attempt:
    """An operation that somebody calls, and what has become known of the call."""

    operation: Operation
    actor: Actor
    client: Client
    trace: Trace

    @classmethod
    def of(cls, operation: Operation, call: Call) -> Attempt:
        """What a call is by now: who makes it may have turned out meanwhile."""
        return cls(operation, call.actor, call.client, call.trace)


@dataclass(slots=True)
class Audit:
    """Takes note of what has been done and what has been refused, where the catalogue has the audit."""

    catalogue: Catalogue
    database: Database
    is_on: bool = field(init=False)
    _turned_away: TTLCache[tuple[UUID | None, str], bool] = field(init=False)

    def __post_init__(self) -> None:
        self.is_on = AuditEvent in self.catalogue.by_model
        self._turned_away = TTLCache(_REMEMBERED, _SECONDS)

    async def done(self, attempt: Attempt, session: AsyncSession, data: InputModel, before: Mapping[str, Any]) -> None:
        """Record a write that has succeeded, in the transaction that makes it.

        `before` are the attributes that its row had when it was loaded.
        """
        if not self.is_on or not attempt.operation.audited or attempt.trace.repeated:
            return
        changed = attempt.trace.changed
        names = _changed(attempt, data, before) if changed is None else changed
        event = _event(self.catalogue, attempt, outcome=Outcome.DONE.value, changed=list(names))
        await _adding().row(session, event)

    def witnesses(self, attempt: Attempt) -> Sequence[Witness]:
        """Who takes note of what a deletion does to other rows: an event for each of these, beside its own."""
        if not self.is_on or not attempt.operation.audited:
            return ()
        event = _event(self.catalogue, attempt, outcome=Outcome.DONE.value)
        event["caused_by"] = event["resource_id"]
        return (Witness(affected, lambda: {**event, "first": new_key().bytes}),)

    def refusal(self, attempt: Attempt, problem: Problem) -> Event | None:
        """What there is to record of a write that has been refused, if anything.

        There is if somebody who is signed in may not do it, if it is a sign-in, and if the refusal itself has changed
        something. To be asked before the transaction is rolled back, which makes rows unreadable.
        """
        if not self.is_on or attempt.operation.is_read:
            return None
        privilege = not attempt.actor.is_anonymous and (problem.type in _OF_PRIVILEGES or problem.keep)
        if not privilege and not self._is_of_sign_in(attempt, problem):
            return None
        event = _event(self.catalogue, attempt, outcome=Outcome.REFUSED.value, problem=problem.type.code)
        # A row that was not allowed to be made has never been there.
        return {**event, "resource_id": None} if attempt.operation.kind is Kind.CREATE else event

    def _is_of_sign_in(self, attempt: Attempt, problem: Problem) -> bool:
        """Whether it is a sign-in that is refused, for the first time in a while where there were too many.

        Anybody can try on and on, and must not fill the table by it.
        """
        if INVALID_CREDENTIALS not in attempt.operation.declared_problems:
            return False
        if problem.type is not TOO_MANY_REQUESTS:
            return problem.type in _OF_SIGN_IN
        who = (attempt.trace.claimed, network_of(attempt.client.address))
        known, self._turned_away[who] = who in self._turned_away, True
        return not known

    async def add(self, event: Event | None, session: AsyncSession | None = None) -> None:
        """Record a refusal: in this session's transaction, or, since that of the refused is rolled back, in its own.

        By itself it may fail, and does so quietly: the answer is the refusal, whatever becomes of its record.
        """
        if event is None:
            return
        if session is not None:
            await _adding().row(session, event)
            return
        try:
            async with self.database.unit_of_work() as own:
                await _adding().row(own, event)
                await own.commit()
        except Exception:
            log.exception("audit_failed", operation=event["operation"], problem=event["problem"])


@cache
def _adding() -> Prepared:
    columns = AuditEvent.__table__.columns
    return Prepared(insert(AuditEvent).values({column.name: given(column.name, column.type) for column in columns}))


def _event(catalogue: Catalogue, attempt: Attempt, **more: Any) -> Event:
    actor, trace, request = attempt.actor, attempt.trace, observation.current()
    # Without loading anything: what is not there, or not any more, is not worth a statement.
    row: Mapping[str, Any] = vars(trace.row) if trace.row is not None else {}
    resource = catalogue.by_model.get(type(trace.row), attempt.operation.resource)
    return {
        "id": new_key(),
        "created_at": utc_now(),
        "user_id": actor.user_id or trace.claimed,
        "session_id": actor.session_id,
        "key_id": actor.key_id,
        "as_admin": trace.as_admin,
        "operation": attempt.operation.name,
        "resource": resource.name if resource else None,
        "resource_id": resource.encode(row["id"]) if resource and "id" in row else None,
        "workspace_id": row.get("id" if isinstance(trace.row, Workspace) else "workspace_id"),
        "caused_by": None,
        "request_id": request.request_id if request else None,
        "address": attempt.client.address[:45] or None,
        "changed": [],
        **more,
    }


def _changed(attempt: Attempt, data: InputModel, before: Mapping[str, Any]) -> list[str]:
    """The names of the fields that a write has changed: those sent for a new row, those that differ of one there was.

    What has been sent and is no column (a label to attach) cannot be compared, and counts as changed.
    """
    operation, row = attempt.operation, attempt.trace.row
    sent = [name for name in type(data).model_fields if name in data.model_fields_set]
    if operation.kind is Kind.CREATE:
        return sent
    if operation.kind not in (Kind.UPDATE, Kind.ACTION):
        return []
    columns, now = _columns(row.__mapper__), vars(row)
    public = {**(operation.resource.fields if operation.resource else {}), **fields_of(type(data))}
    differ = [name for name in public if name in columns and name in now and now[name] != before.get(name)]
    return [*differ, *(name for name in sent if not hasattr(type(row), name))]


@cache
def _columns(mapper: Mapper[Any]) -> frozenset[str]:
    """The attributes of a row that somebody changes; a version, and when it was changed, follow from that."""
    own = [column for column in mapper.local_table.columns if column.onupdate is None]
    return frozenset(mapper.get_property_by_column(each).key for each in own if each is not mapper.version_id_col)
