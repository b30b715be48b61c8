"""Recording of audit events: `services.engine.gateway` calls this for every write, so that no operation has to.

Events hold names of fields and identifiers, never values, so no secrets. Each is inserted by one prepared statement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final
from uuid import UUID

import structlog
from cachetools import TTLCache
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    FromClause,
    Insert,
    Integer,
    LargeBinary,
    String,
    Text,
    Uuid,
    cast,
    func,
    insert,
    literal,
    null,
    select,  # noqa: TID251 - of rows that are about to be deleted
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapper

from services.catalogue.calls import Call
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
from services.catalogue.resources import Resource
from services.engine.audit.models import AuditEvent, Outcome
from services.engine.authorization import Admitted
from services.identity.workspaces.models import Workspace
from services.process import observation
from services.process.networks import network_of
from services.storage.base import utc_now
from services.storage.cascades import DeletionObserver
from services.storage.database import Database
from services.storage.prepared import Prepared, given

Event = dict[str, Any]

log = structlog.get_logger(__name__)

_PRIVILEGE_PROBLEMS: Final = (FORBIDDEN, INSUFFICIENT_SCOPE)
_SIGN_IN_PROBLEMS: Final = (INVALID_CREDENTIALS, EMAIL_UNVERIFIED)
_THROTTLED_SECONDS: Final = 60
"""Interval at which `too_many_requests` for a sign-in is recorded for the same account and network."""
_MAX_THROTTLED: Final = 10_000


class Audit:
    """Records writes and refusals if the catalogue includes the audit."""

    def __init__(self, catalogue: Catalogue, database: Database) -> None:
        self.is_on = AuditEvent in catalogue.by_model
        self._catalogue, self._database = catalogue, database
        self._throttled: TTLCache[tuple[UUID | None, str], bool] = TTLCache(_MAX_THROTTLED, _THROTTLED_SECONDS)

    async def done(self, operation: Operation, call: Call, data: InputModel, before: Mapping[str, Any]) -> None:
        """Record a write that has succeeded, in its own transaction.

        `before` maps the attributes of the row to their values when it was loaded.
        """
        if not self.is_on or not operation.audited or call.trace.repeated:
            return
        changed = call.trace.changed
        names = _changed(operation, call.trace.row, data, before) if changed is None else changed
        event = _event(self._catalogue, operation, call, outcome=Outcome.DONE.value, changed=list(names))
        await _insert().row(call.session, event)

    def witness(self, operation: Operation, call: Call) -> DeletionObserver | None:
        """Return the observer that records an event for each row that a deletion cascades to."""
        if not self.is_on or not operation.audited:
            return None
        event = _event(self._catalogue, operation, call, outcome=Outcome.DONE.value)
        event["caused_by"] = event["resource_id"]
        return DeletionObserver(_affected, lambda: {**event, "first": new_key().bytes})

    def refusal(self, operation: Operation, attempt: Call | Admitted, problem: Problem) -> Event | None:
        """Return the event for a refused write; None if the refusal is not recorded.

        It is recorded if a signed-in actor lacks the right, if it is a sign-in, and if the refusal itself has changed
        something. Call this before the transaction is rolled back, which expires the attributes of rows.
        """
        if not self.is_on or operation.is_read:
            return None
        lacks_right = not attempt.actor.is_anonymous and (problem.type in _PRIVILEGE_PROBLEMS or problem.keep)
        if not lacks_right and not self._is_recorded_sign_in(operation, attempt, problem):
            return None
        event = _event(self._catalogue, operation, attempt, outcome=Outcome.REFUSED.value, problem=problem.type.code)
        # The row was never inserted.
        return {**event, "resource_id": None} if operation.kind is Kind.CREATE else event

    def _is_recorded_sign_in(self, operation: Operation, attempt: Call | Admitted, problem: Problem) -> bool:
        """Return whether a sign-in was refused. Throttled ones are recorded once per interval, to bound the table."""
        if INVALID_CREDENTIALS not in operation.declared_problems:
            return False
        if problem.type is not TOO_MANY_REQUESTS:
            return problem.type in _SIGN_IN_PROBLEMS
        caller = (attempt.trace.claimed, network_of(attempt.client.address))
        is_known, self._throttled[caller] = caller in self._throttled, True
        return not is_known

    async def add(self, event: Event | None, session: AsyncSession | None = None) -> None:
        """Record a refusal in the transaction of `session` or, without one, in a transaction of its own.

        A failure of the latter is logged and not raised, so that the caller still receives the refusal.
        """
        if event is None:
            return
        if session is not None:
            await _insert().row(session, event)
            return
        try:
            async with self._database.unit_of_work() as own_session:
                await _insert().row(own_session, event)
                await own_session.commit()
        except Exception:
            log.exception("audit_failed", operation=event["operation"], problem=event["problem"])


@cache
def _insert() -> Prepared:
    columns = AuditEvent.__table__.columns
    return Prepared(insert(AuditEvent).values({column.name: given(column.name, column.type) for column in columns}))


def _event(catalogue: Catalogue, operation: Operation, attempt: Call | Admitted, **values: Any) -> Event:
    actor, trace, request = attempt.actor, attempt.trace, observation.current()
    # `vars` sends no statement for attributes that are not loaded.
    attributes: Mapping[str, Any] = vars(trace.row) if trace.row is not None else {}
    resource = catalogue.by_model.get(type(trace.row), operation.resource)
    return {
        "id": new_key(),
        "created_at": utc_now(),
        "user_id": actor.user_id or trace.claimed,
        "session_id": actor.session_id,
        "key_id": actor.key_id,
        "as_admin": trace.as_admin,
        "operation": operation.name,
        "resource": resource.name if resource else None,
        "resource_id": resource.encode(attributes["id"]) if resource and "id" in attributes else None,
        "workspace_id": attributes.get("id" if isinstance(trace.row, Workspace) else "workspace_id"),
        "caused_by": None,
        "request_id": request.request_id if request else None,
        "address": attempt.client.address[:45] or None,
        "changed": [],
        **values,
    }


def _changed(operation: Operation, row: Any, data: InputModel, before: Mapping[str, Any]) -> list[str]:
    """Return the names of the fields that a write has changed; for a new row, all that were sent.

    A field that was sent and is no column (a label to attach) counts as changed.
    """
    sent = [name for name in type(data).model_fields if name in data.model_fields_set]
    if operation.kind is Kind.CREATE:
        return sent
    if operation.kind not in (Kind.UPDATE, Kind.ACTION):
        return []
    columns, after = _columns(row.__mapper__), vars(row)
    public = {**(operation.resource.fields if operation.resource else {}), **fields_of(type(data))}
    different = [name for name in public if name in columns and name in after and after[name] != before.get(name)]
    return [*different, *(name for name in sent if not hasattr(type(row), name))]


@cache
def _columns(mapper: Mapper[Any]) -> frozenset[str]:
    """Return the attributes that callers change: all columns but the version and those with an `onupdate`."""
    return frozenset(
        mapper.get_property_by_column(column).key
        for column in mapper.local_table.columns
        if column.onupdate is None and column is not mapper.version_id_col
    )


def _affected(resource: Resource[Any], rows: FromClause, changed: Sequence[str]) -> Insert:
    """Return the statement that records rows of a resource as changed in these fields or, without fields, as deleted.

    Its parameters are the columns that all events share, and `first`, a UUIDv7 from which the events' keys are derived.
    """
    per_row: dict[str, ColumnElement[Any]] = {
        "id": _numbered_keys(),
        "resource": literal(resource.name, String),
        "resource_id": func.concat(f"{resource.prefix}_", func.replace(cast(rows.c.id, Text), "-", "")),
        "workspace_id": rows.c.id if resource.model is Workspace else rows.c.get("workspace_id", cast(null(), Uuid)),
        "changed": cast(literal(f"{{{','.join(changed)}}}", String), ARRAY(Text)),
    }
    columns = AuditEvent.__table__.columns
    values = {column.name: per_row.get(column.name, given(column.name, column.type)) for column in columns}
    return insert(AuditEvent).from_select(list(values), select(*values.values()).select_from(rows))


def _numbered_keys() -> ColumnElement[Any]:
    """Return UUIDv7 keys in sequence: the last 32 random bits of `first` are replaced by the row number.

    PostgreSQL 15 to 17 have no `uuidv7()`.
    """
    number = func.int4send(cast(func.row_number().over(), Integer))
    return cast(func.encode(func.overlay(given("first", LargeBinary()), number, 13, 4), "hex"), Uuid)
