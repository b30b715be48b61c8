"""SQL statements of idempotency. A write that is one of several in a request has two rows: see once.py."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    LargeBinary,
    and_,
    func,
    or_,
    select,  # noqa: TID251 - stored answers are no resource
)
from sqlalchemy.dialects.postgresql import Insert, insert

from services.engine.idempotency.models import StoredAnswer
from services.storage.prepared import Prepared, given

BOTH: Final = 2
"""Rows of a write that is one of several in a request."""


@cache
def locking() -> Prepared:
    """Try to take the advisory lock until the transaction ends; the value is whether it was taken."""
    return Prepared(select(func.pg_try_advisory_xact_lock(given("lock", BigInteger()))))


@cache
def looking() -> Prepared:
    """Select the stored fingerprint and answer; no row if there are none."""
    return Prepared(select(StoredAnswer.fingerprint, StoredAnswer.answer).where(*_is_live("id")))


@cache
def looking_at_both() -> Prepared:
    """Select the fingerprint of the whole request, and fingerprint and answer of the write; null if not stored."""
    members = ((StoredAnswer.fingerprint, "whole_id"), (StoredAnswer.fingerprint, "id"), (StoredAnswer.answer, "id"))
    return Prepared(select(*(select(member).where(*_is_live(name)).scalar_subquery() for member, name in members)))


@cache
def keeping() -> Prepared:
    """Insert the row and return its id; no row if one exists that has not expired."""
    return Prepared(_replacing(insert(StoredAnswer).values(_values("")), _has_expired()).returning(StoredAnswer.id))


@cache
def keeping_both() -> Prepared:
    """Insert both rows and return how many were written: fewer than two if another exists that has not expired.

    The row of the whole request has an empty answer. It is rewritten with each answer, so that it outlives them all.
    """
    adding = insert(StoredAnswer).values([_values("whole_"), _values("")])
    is_same = adding.excluded.fingerprint == StoredAnswer.fingerprint
    is_whole = and_(is_same, func.length(adding.excluded.answer) == 0)
    kept = _replacing(adding, or_(_has_expired(), is_whole)).returning(StoredAnswer.id).cte("kept")
    return Prepared(select(func.count()).select_from(kept))


def _is_live(name: str) -> tuple[ColumnElement[bool], ...]:
    is_same = StoredAnswer.id == given(name, LargeBinary())
    return is_same, StoredAnswer.created_at > given("expired", DateTime(timezone=True))


def _has_expired() -> ColumnElement[bool]:
    return StoredAnswer.created_at <= given("expired", DateTime(timezone=True))


def _values(prefix: str) -> dict[str, Any]:
    return {
        column.name: given(column.name if column.name == "created_at" else prefix + column.name, column.type)
        for column in StoredAnswer.__table__.columns
    }


def _replacing(adding: Insert, where: ColumnElement[bool]) -> Insert:
    return adding.on_conflict_do_update(
        index_elements=[StoredAnswer.id],
        set_={name: adding.excluded[name] for name in ("fingerprint", "answer", "created_at")},
        where=where,
    )
