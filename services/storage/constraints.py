"""What PostgreSQL refuses, as Problems: constraints are traced back to the fields they are about."""

from __future__ import annotations

from typing import Any

from sqlalchemy import MetaData, Table
from sqlalchemy.exc import DBAPIError, IntegrityError

from services.catalogue.problems import CONFLICT, VALIDATION_FAILED, FieldError, Problem

_UNIQUE, _FOREIGN_KEY, _CHECK, _NOT_NULL, _EXCLUSION = "23505", "23503", "23514", "23502", "23P01"
_RETRY = {"40001", "40P01"}  # serialisation failure, deadlock


def problem_of(error: DBAPIError, metadata: MetaData) -> Problem | None:
    """The Problem behind a database error, or None when it is a fault of ours.

    A uniqueness violation is a `conflict`, a violated check or foreign key a `validation_failed`, both naming the
    fields; a row still referred to, and a deadlock, are conflicts.
    """
    cause = getattr(error.orig, "__cause__", None)
    state = str(getattr(cause, "sqlstate", ""))
    if state in _RETRY:
        return Problem(CONFLICT, "Another change was under way at the same time. Try again.")
    if not isinstance(error, IntegrityError):
        return None
    table = metadata.tables.get(str(getattr(cause, "table_name", "")))
    fields = _fields(table, str(getattr(cause, "constraint_name", ""))) if table is not None else ()
    if state in (_UNIQUE, _EXCLUSION):
        errors = [FieldError((name,), "unique", "This is taken already.") for name in fields]
        return Problem(CONFLICT, "Another one with the same value exists already.", errors=errors)
    if state == _FOREIGN_KEY and "still referenced" in str(getattr(cause, "detail", "")):
        return Problem(CONFLICT, "Something else still refers to this.")
    if state in (_FOREIGN_KEY, _CHECK, _NOT_NULL):
        code, message = (
            ("not_found", "There is no such thing here.")
            if state == _FOREIGN_KEY
            else ("range", "This is not allowed.")
        )
        if state == _NOT_NULL:
            fields, code, message = (str(getattr(cause, "column_name", "")),), "required", "This field is required."
        return Problem(VALIDATION_FAILED, errors=[FieldError((name,), code, message) for name in fields])
    return None


def _fields(table: Table, constraint: str) -> tuple[str, ...]:
    """The columns that a constraint or a unique index is about, the tenant's own left aside where others remain."""
    found: list[Any] = [each for each in table.constraints if each.name == constraint]
    found += [each for each in table.indexes if each.name == constraint]
    if not found:
        return ()
    declared = found[0].info.get("fields")
    names = declared or [column.name for column in found[0].columns]
    return tuple(name for name in names if name != "workspace_id") or tuple(names)
