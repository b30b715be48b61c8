"""Rows for writing: loading them under their policy, checking the policy after changes, and checking references."""

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
"""Cached statements of each kind, by resource, action and kind of actor."""


async def load_for_update(call: Call, resource: Resource[M], key: UUID, action: str) -> M:
    """Return the row with this key, locked until the end of the unit of work.

    Raises `not_found` if the actor may not read it, `forbidden` if the actor may read it but not perform the action.
    """
    statement = _locking(resource, action, call.actor.is_admin)
    result = (await call.session.execute(statement, {"key": key, **call.actor.parameters()})).one_or_none()
    if result is None:
        raise Problem(NOT_FOUND)
    row: M = result[0]
    call.trace.row = row
    if not result.allowed:
        raise resource.policy.refusal(action, call.actor)
    call.trace.as_admin = not result.ordinary
    return row


@lru_cache(maxsize=REMEMBERED)
def _locking(resource: Resource[Any], action: str, is_admin: bool) -> Select[Any]:
    """Return the statement of `load_for_update`."""
    model, kind = resource.model, Actor(is_admin=is_admin)
    readable = resource.policy.predicate("read", model, kind)
    allowed = resource.policy.predicate(action, model, kind)
    ordinary = _ordinary(resource, ("read", action), model, is_admin=is_admin)
    # Only a deletion must prevent new references to the row.
    lock: dict[str, Any] = {"of": model, "key_share": action != "delete"}
    columns = (model, allowed.label("allowed"), ordinary.label("ordinary"))
    statement = select(*columns).where(model.__table__.c.id == bindparam("key"), readable)
    return statement.with_for_update(**lock)


async def select_readable(
    call: Call, resource: Resource[M], *conditions: ColumnElement[bool], lock: bool = False
) -> list[M]:
    """Return the rows of a resource that satisfy the conditions and that the actor may read.

    Operations' functions look for rows by it. With `lock` none of them can be deleted until the unit of work ends.
    """
    visible = resource.policy.predicate("read", resource.model, call.actor)
    statement = select(resource.model).where(visible, *conditions)
    if lock:
        statement = statement.with_for_update(of=resource.model, read=True, key_share=True)
    return list((await call.session.execute(statement, call.actor.parameters())).scalars())


def _ordinary(resource: Resource[Any], actions: Iterable[str], entity: Any, *, is_admin: bool) -> ColumnElement[bool]:
    """Return whether an admin would be allowed these actions without being one, for the audit."""
    if not is_admin:
        return true()
    return and_(*[resource.policy.predicate(action, entity, Actor()) for action in actions])


def references(resource: Resource[Any], row: Any) -> tuple[Any, ...]:
    """Return the values of a row's foreign keys."""
    return tuple(getattr(row, column.key) for column in resource.table.columns if column.foreign_keys)


async def check_placed(call: Call, resource: Resource[Any], row: Any) -> None:
    """Check that the actor may create the row where it is, after creating it or changing its foreign keys.

    Flushes. Raises `forbidden`.
    """
    await flush(call.session)
    call.trace.row = row
    values = {"key": row.id, **call.actor.parameters()}
    result = await _placing(resource, call.actor.is_admin).row(call.session, values)
    allowed, ordinary = result or (False, False)
    if not allowed:
        raise resource.policy.refusal("create", call.actor)
    call.trace.as_admin |= not ordinary


@lru_cache(maxsize=REMEMBERED)
def _placing(resource: Resource[Any], is_admin: bool) -> Prepared:
    """Return the statement of `check_placed`."""
    entity: Any = aliased(resource.model)
    allowed = resource.policy.predicate("create", entity, Actor(is_admin=is_admin))
    columns = (allowed, _ordinary(resource, ("create",), entity, is_admin=is_admin))
    return Prepared(select(*columns).where(entity.id == given("key", Uuid())))


async def check_references(call: Call, catalogue: Catalogue, data: InputModel) -> None:
    """Check that every identifier in the input names a row that the actor may read, in one statement.

    Raises `validation_failed` with each field that does not.
    """
    paths: dict[Resource[Any], list[tuple[tuple[str | int, ...], UUID]]] = {}
    for name, kind in fields_of(type(data)).items():
        value = getattr(data, name)
        target = catalogue.by_prefix.get(kind.identifier.prefix) if kind.identifier else None
        if target is None or value is None:
            continue
        named_keys = [((name, index), key) for index, key in enumerate(value)] if kind.many else [((name,), value)]
        paths.setdefault(target, []).extend(named_keys)
    if not any(paths.values()):
        return
    values = {f"keys{index}": [key for _, key in named_keys] for index, named_keys in enumerate(paths.values())}
    statement = _readable(tuple(paths), call.actor.is_admin)
    row = await statement.row(call.session, {**values, **call.actor.parameters()})
    assert row is not None
    readable_keys = [set(keys or ()) for keys in row]
    missing = [
        path
        for existing, named_keys in zip(readable_keys, paths.values(), strict=True)
        for path, key in named_keys
        if key not in existing
    ]
    if missing:
        raise Problem(VALIDATION_FAILED, errors=[FieldError(path, "not_found", NOT_THERE) for path in missing])


@lru_cache(maxsize=REMEMBERED)
def _readable(targets: tuple[Resource[Any], ...], is_admin: bool) -> Prepared:
    """Return a statement that selects, for each resource, the keys among `keys0`, `keys1`… that the actor may read."""
    columns = []
    for index, target in enumerate(targets):
        entity: Any = aliased(target.model)
        readable = target.policy.predicate("read", entity, Actor(is_admin=is_admin))
        requested = entity.id == any_(given(f"keys{index}", ARRAY(Uuid())))
        columns.append(select(func.array_agg(entity.id)).where(requested, readable).scalar_subquery())
    return Prepared(select(*columns))


def forget_statements() -> None:
    """Clear the cached statements after a change of policies, which happens only in tests."""
    for remembered in (_locking, _placing, _readable):
        remembered.cache_clear()


def assign(row: DeclarativeBase, data: InputModel) -> None:
    """Set the fields that the caller has sent on the row."""
    for name, value in data.changes().items():
        setattr(row, name, value)
