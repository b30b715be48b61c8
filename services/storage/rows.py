"""Rows for writing: loaded under their policy, checked against it afterwards, and the references in an input."""

from __future__ import annotations

from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase, aliased

from services.catalogue.calls import Call
from services.catalogue.catalogue import Catalogue
from services.catalogue.models import InputModel, fields_of
from services.catalogue.problems import FORBIDDEN, NOT_FOUND, VALIDATION_FAILED, FieldError, Problem
from services.catalogue.resources import Resource
from services.storage.constraints import NOT_THERE

M = TypeVar("M", bound=DeclarativeBase)


async def load_for(call: Call, resource: Resource[M], key: UUID, action: str) -> M:
    """The row with this key, locked until the end of the unit of work.

    Raises `not_found` when the actor may not read it, `forbidden` when they may read it but not do this to it.
    """
    model: Any = resource.model
    readable = resource.policy.predicate("read", model, call.actor)
    allowed = resource.policy.predicate(action, model, call.actor)
    # Only a deletion needs to keep others from referring to the row meanwhile.
    lock = {"of": model, "key_share": action != "delete"}
    statement = select(model, allowed.label("allowed")).where(model.id == key, readable).with_for_update(**lock)
    found = (await call.session.execute(statement, call.actor.parameters())).one_or_none()
    if found is None:
        raise Problem(NOT_FOUND)
    if not found.allowed:
        raise Problem(FORBIDDEN)
    row: M = found[0]
    return row


def references(resource: Resource[Any], row: Any) -> tuple[Any, ...]:
    """What a row refers to: the values of its foreign keys."""
    return tuple(getattr(row, column.key) for column in resource.table.columns if column.foreign_keys)


async def check_placed(call: Call, resource: Resource[Any], row: Any) -> None:
    """Whoever makes a row, or moves it elsewhere by changing what it refers to, must be allowed to create it there.

    Flushes. Raises `forbidden`.
    """
    await call.session.flush()
    model: Any = resource.model
    allowed = select(resource.policy.predicate("create", model, call.actor)).where(model.id == row.id)
    if not (await call.session.execute(allowed, call.actor.parameters())).scalar_one():
        raise Problem(FORBIDDEN)


async def check_references(call: Call, catalogue: Catalogue, data: InputModel) -> None:
    """Every identifier in the input must be that of a row that the actor may read, in one statement.

    Raises `validation_failed` naming each field that is not.
    """
    checks = []
    for name, kind in fields_of(type(data)).items():
        value = getattr(data, name)
        target = catalogue.by_prefix.get(kind.identifier.prefix) if kind.identifier else None
        if target is None or value is None:
            continue
        keys = value if kind.many else [value]
        for index, key in enumerate(keys):
            entity: Any = aliased(target.model)
            readable = target.policy.predicate("read", entity, call.actor)
            path = (name, index) if kind.many else (name,)
            checks.append((path, select(entity.id).where(entity.id == key, readable).exists()))
    if not checks:
        return
    statement = select(*(exists.label(f"c{index}") for index, (_, exists) in enumerate(checks)))
    found = (await call.session.execute(statement, call.actor.parameters())).one()
    missing = [path for (path, _), there in zip(checks, found, strict=True) if not there]
    if missing:
        raise Problem(VALIDATION_FAILED, errors=[FieldError(path, "not_found", NOT_THERE) for path in missing])


def assign(row: DeclarativeBase, data: InputModel) -> None:
    """Put the fields that the caller has sent on the row."""
    for name, value in data.changes().items():
        setattr(row, name, value)
