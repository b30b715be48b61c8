"""What PostgreSQL refuses, as Problems: constraints are traced back to the fields they are about."""

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
"""What SQLAlchemy's layer over asyncpg makes of its errors, before SQLAlchemy itself has seen them."""
DRIVER_ERRORS: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, _ADAPTED)
"""What is raised below SQLAlchemy: the Reader, and some checks of writes, go past it."""


class ConnectionLostError(Problem):
    """`unavailable`: the transaction is gone, with its connection or without, and all that was not committed."""

    def __init__(self) -> None:
        super().__init__(UNAVAILABLE, retry_after=1)


class DemotedError(ConnectionLostError):
    """The server cannot be written to: it has become a standby, or was never anything else."""


class OutdatedStatementError(ConnectionLostError):
    """A statement was prepared for a table that has been changed since; the driver will prepare it anew."""


@contextmanager
def database_problems(metadata: MetaData) -> Iterator[None]:
    """Errors of the database, and of reaching it, as Problems, as far as they are not faults of ours."""
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
    """The Problem behind an error, or None when it is a fault of ours.

    A uniqueness violation is a `conflict`, a violated check or foreign key a `validation_failed`, both naming the
    fields; a row still referred to, and a deadlock, are conflicts. What outages.py lists is `unavailable`.
    """
    cause, state = cause_of(error), state_of(error)
    outage = outage_of(state)
    if is_outdated(error) or is_outdated(cause):
        return OutdatedStatementError()
    if outage is Outage.DEMOTED:
        return DemotedError()
    if is_lost(error):
        return ConnectionLostError()
    if outage is Outage.RACE:
        return Problem(CONFLICT, "Another change was under way at the same time. Try again.")
    if outage is not None or isinstance(error, (PoolTimeoutError, OSError)):
        return Problem(UNAVAILABLE, retry_after=1)
    return _violation(cause, state, metadata)


def cause_of(error: BaseException) -> BaseException:
    """What asyncpg has raised, below what SQLAlchemy has made of it."""
    adapted = getattr(error, "orig", None) or error
    return adapted.__cause__ or adapted if isinstance(adapted, _ADAPTED) else adapted


def state_of(error: BaseException) -> str:
    """The SQLSTATE of an error; nothing if it has none."""
    return str(getattr(cause_of(error), "sqlstate", None) or "")


def is_lost(error: BaseException) -> bool:
    """Whether an error says that its connection is gone, or about to go."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    cause = cause_of(error)
    # InternalClientError is what asyncpg says to a connection on which PostgreSQL has said goodbye.
    gone = isinstance(cause, (asyncpg.InternalClientError, ConnectionError))
    closed = isinstance(cause, asyncpg.InterfaceError) and "closed" in str(cause)
    return gone or closed or outage_of(state_of(cause)) is Outage.LOST


def is_outdated(error: BaseException | None) -> bool:
    """Whether a statement was prepared for a table as it was. Its transaction is over."""
    return isinstance(error, (asyncpg.InvalidCachedStatementError, asyncpg.OutdatedSchemaCacheError))


def _violation(cause: Any, state: str, metadata: MetaData) -> Problem | None:
    """The Problem of a violated constraint."""
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
    """The fields that a constraint or a unique index is about, the tenant's own left aside where others remain."""
    column = getattr(cause, "column_name", None)
    if column:
        return (str(column),)
    constraint = getattr(cause, "constraint_name", None)
    known: tuple[Any, ...] = (*table.constraints, *table.indexes) if table is not None else ()
    found = [each for each in known if each.name == constraint]
    if not found:
        return ()
    names = tuple(found[0].info.get("fields") or [column.name for column in found[0].columns])
    return tuple(name for name in names if name != "workspace_id") or names
