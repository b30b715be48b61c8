"""Converts PostgreSQL's errors to Problems, and constraints to the fields that they concern."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import asyncpg
from sqlalchemy import MetaData, Table
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from services.catalogue.problems import CONFLICT, UNAVAILABLE, VALIDATION_FAILED, FieldError, Problem
from services.storage.outages import Outage, outage_of, tell

NOT_THERE: Final = "There is no such thing here."

_NOT_NULL, _FOREIGN_KEY, _UNIQUE, _CHECK, _EXCLUSION = "23502", "23503", "23505", "23514", "23P01"
_FIELD_FAULTS: Final = {
    _NOT_NULL: ("required", "This field is required."),
    _FOREIGN_KEY: ("not_found", NOT_THERE),
    _CHECK: ("range", "This is not allowed."),
}
_ADAPTED: Final = AsyncAdapt_asyncpg_dbapi.Error
"""The error class of SQLAlchemy's adapter of asyncpg."""
DRIVER_ERRORS: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, _ADAPTED)
"""Errors raised below SQLAlchemy, which the Reader and some checks of writes bypass."""


class ConnectionLostError(Problem):
    """`unavailable`: the transaction is lost, with or without its connection."""

    def __init__(self) -> None:
        super().__init__(UNAVAILABLE, retry_after=1)


class ReadOnlyServerError(ConnectionLostError):
    """The server is read-only: it has become a standby, or always was one."""


class OutdatedStatementError(ConnectionLostError):
    """A statement was prepared for a table that has changed since; the driver will prepare it again."""


@contextmanager
def database_problems(metadata: MetaData) -> Iterator[None]:
    """Convert errors of the database and of its connections to Problems, unless they are faults of the gateway."""
    try:
        yield
    except (SQLAlchemyError, *DRIVER_ERRORS) as error:
        problem = problem_of(error, metadata)
        if problem is None:
            raise
        if problem.type is UNAVAILABLE and not isinstance(problem, OutdatedStatementError):
            tell(cause_of(error), outage_of(state_of(error)))
        raise problem from error


def problem_of(error: Exception, metadata: MetaData) -> Problem | None:
    """Return the Problem of an error, or None if it is a fault of the gateway.

    A uniqueness violation is a `conflict`, a violated check or foreign key a `validation_failed`, both naming the
    fields. A row still referred to and a deadlock are conflicts. The errors in outages.py are `unavailable`.
    """
    cause, state = cause_of(error), state_of(error)
    outage = outage_of(state)
    if is_outdated(error):
        return OutdatedStatementError()
    if outage is Outage.DEMOTED:
        return ReadOnlyServerError()
    if is_lost(error):
        return ConnectionLostError()
    if outage is Outage.RACE:
        return Problem(CONFLICT, "Another change was under way at the same time. Try again.")
    if outage is not None or isinstance(error, (PoolTimeoutError, OSError)):
        return Problem(UNAVAILABLE, retry_after=1)
    return _violation(cause, state, metadata)


def cause_of(error: BaseException) -> BaseException:
    """Return asyncpg's error below that of SQLAlchemy."""
    adapted = getattr(error, "orig", None) or error
    return adapted.__cause__ or adapted if isinstance(adapted, _ADAPTED) else adapted


def state_of(error: BaseException) -> str:
    """Return the SQLSTATE of an error, or an empty string."""
    return str(getattr(cause_of(error), "sqlstate", None) or "")


def is_lost(error: BaseException) -> bool:
    """Return whether an error means that its connection is closed or about to be."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    cause = cause_of(error)
    # asyncpg raises InternalClientError on a connection that PostgreSQL has terminated.
    gone = isinstance(cause, (asyncpg.InternalClientError, ConnectionError))
    closed = isinstance(cause, asyncpg.InterfaceError) and "closed" in str(cause)
    return gone or closed or outage_of(state_of(cause)) is Outage.LOST


def is_outdated(error: BaseException) -> bool:
    """Return whether a prepared statement has become invalid by a change of its table. Its transaction has ended."""
    return isinstance(cause_of(error), (asyncpg.InvalidCachedStatementError, asyncpg.OutdatedSchemaCacheError))


def _violation(cause: Any, state: str, metadata: MetaData) -> Problem | None:
    fields = _fields(metadata.tables.get(str(getattr(cause, "table_name", ""))), cause)
    if state in (_UNIQUE, _EXCLUSION):
        errors = [FieldError((name,), "unique", "This is taken already.") for name in fields]
        return Problem(CONFLICT, "Another one with the same value exists already.", errors=errors)
    if state == _FOREIGN_KEY and "still referenced" in str(getattr(cause, "detail", "")):
        return Problem(CONFLICT, "Something else still refers to this.")
    if state in _FIELD_FAULTS:
        errors = [FieldError((name,), *_FIELD_FAULTS[state]) for name in fields]
        return Problem(VALIDATION_FAILED, errors=errors)
    return None


def _fields(table: Table | None, cause: Any) -> tuple[str, ...]:
    """Return the fields of a constraint or a unique index, without the tenant's unless it is the only one."""
    column = getattr(cause, "column_name", None)
    if column:
        return (str(column),)
    constraint = getattr(cause, "constraint_name", None)
    candidates: tuple[Any, ...] = (*table.constraints, *table.indexes) if table is not None else ()
    matching = [candidate for candidate in candidates if candidate.name == constraint]
    if not matching:
        return ()
    names = tuple(matching[0].info.get("fields") or [column.name for column in matching[0].columns])
    return tuple(name for name in names if name != "workspace_id") or names
