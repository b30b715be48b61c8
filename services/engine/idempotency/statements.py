"""What the idempotency of a write sends to PostgreSQL. A write that is one of several has two rows: see once.py."""

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
    select,  # noqa: TID251 - answers are no resource's rows
)
from sqlalchemy.dialects.postgresql import Insert, insert

from services.engine.idempotency.models import KeptAnswer
from services.storage.prepared import Prepared, given

BOTH: Final = 2
"""Rows of a write that is one of several."""


@cache
def locking() -> Prepared:
    """Whether the lock is ours, until the transaction ends."""
    return Prepared(select(func.pg_try_advisory_xact_lock(given("lock", BigInteger()))))


@cache
def looking() -> Prepared:
    """The fingerprint and the answer that are kept; no row if none are."""
    return Prepared(select(KeptAnswer.fingerprint, KeptAnswer.answer).where(*_is("id")))


@cache
def looking_at_both() -> Prepared:
    """The fingerprint of the whole request, and that and the answer of the write; null where none are kept."""
    members = ((KeptAnswer.fingerprint, "whole_id"), (KeptAnswer.fingerprint, "id"), (KeptAnswer.answer, "id"))
    return Prepared(select(*(select(member).where(*_is(name)).scalar_subquery() for member, name in members)))


@cache
def keeping() -> Prepared:
    """The row's id, unless another one is there that has not expired."""
    return Prepared(_replacing(insert(KeptAnswer).values(_values("")), _has_expired()).returning(KeptAnswer.id))


@cache
def keeping_both() -> Prepared:
    """How many of the two rows are there now: fewer than two where another one is that has not expired.

    That of the whole request has an empty answer. It is written again with each answer, so that it outlives them all.
    """
    adding = insert(KeptAnswer).values([_values("whole_"), _values("")])
    same = adding.excluded.fingerprint == KeptAnswer.fingerprint
    is_whole = and_(same, func.length(adding.excluded.answer) == 0)
    kept = _replacing(adding, or_(_has_expired(), is_whole)).returning(KeptAnswer.id).cte("kept")
    return Prepared(select(func.count()).select_from(kept))


def _is(name: str) -> tuple[ColumnElement[bool], ...]:
    wanted = KeptAnswer.id == given(name, LargeBinary())
    return wanted, KeptAnswer.created_at > given("expired", DateTime(timezone=True))


def _has_expired() -> ColumnElement[bool]:
    return KeptAnswer.created_at <= given("expired", DateTime(timezone=True))


def _values(prefix: str) -> dict[str, Any]:
    shared = ("created_at",)
    columns = KeptAnswer.__table__.columns
    return {each.name: given(each.name if each.name in shared else prefix + each.name, each.type) for each in columns}


def _replacing(adding: Insert, where: ColumnElement[bool]) -> Insert:
    return adding.on_conflict_do_update(
        index_elements=[KeptAnswer.id],
        set_={name: adding.excluded[name] for name in ("fingerprint", "answer", "created_at")},
        where=where,
    )
