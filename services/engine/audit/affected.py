"""Audit events for the rows that a deletion cascades to: one INSERT … SELECT per resource."""

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
    select,  # noqa: TID251 - of rows that are about to be deleted
)

from services.catalogue.resources import Resource
from services.engine.audit.models import AuditEvent
from services.identity.workspaces.models import Workspace
from services.storage.prepared import given


def affected(resource: Resource[Any], rows: FromClause, changed: Sequence[str]) -> Insert:
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
