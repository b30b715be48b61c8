"""Rows for writing: loaded under their policy, checked against it afterwards, and the references in an input."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Select, Uuid, and_, any_, bindparam, func, select, true
from sqlalchemy.orm import DeclarativeBase, aliased

from services.catalogue.actors import Actor
from services.catalogue.calls import Call
from services.catalogue.catalogue import Catalogue
from services.catalogue.models import InputModel, fields_of
from services.catalogue.problems import NOT_FOUND, VALIDATION_FAILED, FieldError, Problem
from services.catalogue.resources import Resource
from services.storage.constraints import NOT_THERE
from services.storage.flushing import flush
from services.storage.prepared import Prepared, given

M = TypeVar("M", bound=DeclarativeBase)

REMEMBERED: Final = 1_000
"""Statements of each kind, by resource, action and kind of actor."""


async def load_for(call: Call, resource: Resource[M], key: UUID, action: str) -> M:
    """The row with this key, locked until the end of the unit of work.

    Raises `not_found` when the actor may not read it, `forbidden` when they may read it but not do this to it.
    """
    statement = _locking(resource, action, call.actor.is_admin)
    found = (await call.session.execute(statement, {"key": key, **call.actor.parameters()})).one_or_none()
    if found is None:
        raise Problem(NOT_FOUND)
    row: M = found[0]
    call.trace.row = row
    if not found.allowed:
        raise resource.policy.refusal(action, call.actor)
    call.trace.as_admin = not found.ordinary
    return row


@lru_cache(maxsize=REMEMBERED)
def _locking(resource: Resource[Any], action: str, is_admin: bool) -> Select[Any]:
    """The statement of `load_for`, built once."""
    model, kind = resource.model, Actor(is_admin=is_admin)
    readable = resource.policy.predicate("read", model, kind)
    allowed = resource.policy.predicate(action, model, kind)
    ordinary = _ordinary(resource, ("read", action), model, is_admin=is_admin)
    # Only a deletion needs to keep others from referring to the row meanwhile.
    lock: dict[str, Any] = {"of": model, "key_share": action != "delete"}
    columns = (model, allowed.label("allowed"), ordinary.label("ordinary"))
    found = select(*columns).where(model.__table__.c.id == bindparam("key"), readable)
    return found.with_for_update(**lock)


async def readable(call: Call, resource: Resource[M], *conditions: ColumnElement[bool], lock: bool = False) -> list[M]:
    """The rows of a resource that the actor may read, of those that the conditions hold for.

    This is how an operation's function looks for rows. `lock`: none of them is deleted until the unit of work ends.
    """
    visible = resource.policy.predicate("read", resource.model, call.actor)
    statement = select(resource.model).where(visible, *conditions)
    if lock:
        statement = statement.with_for_update(of=resource.model, read=True, key_share=True)
    return list((await call.session.execute(statement, call.actor.parameters())).scalars())


def _ordinary(resource: Resource[Any], actions: Iterable[str], entity: Any, *, is_admin: bool) -> ColumnElement[bool]:
    """Whether an admin would be allowed these actions without being one, for the audit."""
    if not is_admin:
        return true()
    return and_(*[resource.policy.predicate(action, entity, Actor()) for action in actions])


def references(resource: Resource[Any], row: Any) -> tuple[Any, ...]:
    """What a row refers to: the values of its foreign keys."""
    return tuple(getattr(row, column.key) for column in resource.table.columns if column.foreign_keys)


async def check_placed(call: Call, resource: Resource[Any], row: Any) -> None:
    """Whoever makes a row, or moves it elsewhere by changing what it refers to, must be allowed to create it there.

    Flushes. Raises `forbidden`.
    """
    await flush(call.session)
    call.trace.row = row
    values = {"key": row.id, **call.actor.parameters()}
    found = await _placing(resource, call.actor.is_admin).row(call.session, values)
    allowed, ordinary = found or (False, False)
    if not allowed:
        raise resource.policy.refusal("create", call.actor)
    call.trace.as_admin |= not ordinary


@lru_cache(maxsize=REMEMBERED)
def _placing(resource: Resource[Any], is_admin: bool) -> Prepared:
    """The statement of `check_placed`."""
    entity: Any = aliased(resource.model)
    allowed = resource.policy.predicate("create", entity, Actor(is_admin=is_admin))
    columns = (allowed, _ordinary(resource, ("create",), entity, is_admin=is_admin))
    return Prepared(select(*columns).where(entity.id == given("key", Uuid())))


async def check_references(call: Call, catalogue: Catalogue, data: InputModel) -> None:
    """Every identifier in the input must be that of a row that the actor may read, in one statement.

    Raises `validation_failed` naming each field that is not.
    """
    paths: dict[Resource[Any], list[tuple[tuple[str | int, ...], UUID]]] = {}
    for name, kind in fields_of(type(data)).items():
        value = getattr(data, name)
        target = catalogue.by_prefix.get(kind.identifier.prefix) if kind.identifier else None
        if target is None or value is None:
            continue
        named = [((name, index), key) for index, key in enumerate(value)] if kind.many else [((name,), value)]
        paths.setdefault(target, []).extend(named)
    if not any(paths.values()):
        return
    values = {f"keys{place}": [key for _, key in named] for place, named in enumerate(paths.values())}
    statement = _readable(tuple(paths), call.actor.is_admin)
    row = await statement.row(call.session, {**values, **call.actor.parameters()})
    assert row is not None
    there = [set(keys or ()) for keys in row]
    missing = [
        path for found, named in zip(there, paths.values(), strict=True) for path, key in named if key not in found
    ]
    if missing:
        raise Problem(VALIDATION_FAILED, errors=[FieldError(path, "not_found", NOT_THERE) for path in missing])


@lru_cache(maxsize=REMEMBERED)
def _readable(targets: tuple[Resource[Any], ...], is_admin: bool) -> Prepared:
    """Of each resource, the keys among `keys0`, `keys1`… whose rows the actor may read."""
    columns = []
    for place, target in enumerate(targets):
        entity: Any = aliased(target.model)
        readable = target.policy.predicate("read", entity, Actor(is_admin=is_admin))
        asked = entity.id == any_(given(f"keys{place}", ARRAY(Uuid())))
        columns.append(select(func.array_agg(entity.id)).where(asked, readable).scalar_subquery())
    return Prepared(select(*columns))


def forget_statements() -> None:
    """Build every statement anew: a policy has changed, which happens in tests of the policies alone."""
    for remembered in (_locking, _placing, _readable):
        remembered.cache_clear()


def assign(row: DeclarativeBase, data: InputModel) -> None:
    """Put the fields that the caller has sent on the row."""
    for name, value in data.changes().items():
        setattr(row, name, value)
