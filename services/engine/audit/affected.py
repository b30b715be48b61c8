"""Events for the rows that a deletion affects: one statement for all of a resource, whatever their number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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
    select,  # noqa: TID251 - of rows that are about to go
)

from services.catalogue.resources import Resource
from services.engine.audit.models import AuditEvent
from services.identity.workspaces.models import Workspace
from services.storage.prepared import given


def affected(resource: Resource[Any], rows: FromClause, changed: Sequence[str]) -> Insert:
    """The statement that records rows of a resource as changed in these fields, or, without any, as deleted.

    Its parameters are the columns of an event that are the same for all, and `first`, a key of which theirs are made.
    """
    own: dict[str, ColumnElement[Any]] = {
        "id": _numbered_keys(),
        "resource": literal(resource.name, String),
        "resource_id": func.concat(f"{resource.prefix}_", func.replace(cast(rows.c.id, Text), "-", "")),
        "workspace_id": _workspace(resource, rows),
        "changed": cast(literal(f"{{{','.join(changed)}}}", String), ARRAY(Text)),
    }
    columns = AuditEvent.__table__.columns
    values = {column.name: own.get(column.name, given(column.name, column.type)) for column in columns}
    return insert(AuditEvent).from_select(list(values), select(*values.values()).select_from(rows))


def _numbered_keys() -> ColumnElement[Any]:
    """UUIDv7 keys in a row: the last 32 of the random bits of `first` count the rows.

    PostgreSQL 15 to 17 have no function for such keys.
    """
    number = func.int4send(cast(func.row_number().over(), Integer))
    return cast(func.encode(func.overlay(given("first", LargeBinary()), number, 13, 4), "hex"), Uuid)


def _workspace(resource: Resource[Any], rows: FromClause) -> ColumnElement[Any]:
    if resource.model is Workspace:
        return rows.c.id
    return rows.c.workspace_id if "workspace_id" in rows.c else cast(null(), Uuid)
