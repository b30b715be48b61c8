from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select  # noqa: TID251 - associations of one item; cycles are refused whether or not they are readable
from sqlalchemy.dialects.postgresql import insert

from services.catalogue import Call, Problem
from services.catalogue.problems import VALIDATION_FAILED, FieldError
from services.files.attaching import attach, detach
from services.identity.workspaces.operations import lock_workspace, usual_workspace_id
from services.sample.items.models import Item, ItemFile, ItemLabel, ItemStatus
from services.sample.items.resource import items
from services.sample.items.schemas import ItemCreate, ItemFileInput, ItemLabelInput, ItemUpdate
from services.sample.labels.models import Label
from services.sample.labels.resource import labels as all_labels
from services.storage.constraints import NOT_THERE
from services.storage.flushing import flush
from services.storage.rows import assign, select_readable

list_items, get_item, delete_item = items.list(), items.get(), items.delete()


@items.create(statements=4)
async def create_item(call: Call, data: ItemCreate) -> Item:
    """Create an item, in the caller's personal workspace unless another is given."""
    values: dict[str, Any] = {
        name: value for name, value in data.changes().items() if name not in ("workspace_id", "label_ids")
    }
    workspace_id = data.workspace_id or await usual_workspace_id(call)
    item = Item(workspace_id=workspace_id, creator_id=call.user_id, **values)
    call.session.add(item)
    await flush(call.session)
    await _attach(call, item, {("label_ids", index): key for index, key in enumerate(data.label_ids)})
    return item


@items.update(statements=3)
async def update_item(call: Call, row: Item, data: ItemUpdate) -> Item:
    """Change an item."""
    if "parent_id" in data.changes() and data.parent_id is not None:
        await _refuse_cycle(call, row, data.parent_id)
    assign(row, data)
    return row


batch_items = items.batch(create_item, update_item, delete_item)


@items.action("archive", emits="item.archived")
async def archive_item(call: Call, row: Item) -> Item:
    """Archive an item; it stays readable. Archiving it again changes nothing."""
    row.status = ItemStatus.ARCHIVED
    return row


@items.action("attach_label", emits="item.label_attached", statements=3)
async def attach_label(call: Call, row: Item, data: ItemLabelInput) -> Item:
    """Attach a label to an item. Attaching it again changes nothing."""
    if await _attach(call, row, {("label_id",): data.label_id}):
        row.updated_at = call.now
    return row


@items.action("detach_label", emits="item.label_detached", statements=2)
async def detach_label(call: Call, row: Item, data: ItemLabelInput) -> Item:
    """Detach a label from an item. Detaching it again changes nothing."""
    pair = delete(ItemLabel).where(ItemLabel.item_id == row.id, ItemLabel.label_id == data.label_id)
    if (await call.session.execute(pair.returning(ItemLabel.item_id))).first():
        row.updated_at = call.now
    return row


@items.action("attach_file", emits="item.file_attached", statements=3)
async def attach_file(call: Call, row: Item, data: ItemFileInput) -> Item:
    """Attach a complete file to an item. Attaching it again changes nothing."""
    if await attach(call, ItemFile, {"item_id": row.id}, row.workspace_id, data.file_id):
        row.updated_at = call.now
    return row


@items.action("detach_file", emits="item.file_detached", statements=2)
async def detach_file(call: Call, row: Item, data: ItemFileInput) -> Item:
    """Detach a file from an item without deleting it. Detaching it again changes nothing."""
    if await detach(call, ItemFile, {"item_id": row.id}, data.file_id):
        row.updated_at = call.now
    return row


async def _attach(call: Call, item: Item, labels: Mapping[tuple[str | int, ...], UUID]) -> bool:
    """Attach labels, given by their paths in the input. Return whether any was not attached before.

    Raise `validation_failed` naming those of another workspace.
    """
    if not labels:
        return False
    conditions = Label.id.in_(labels.values()), Label.workspace_id == item.workspace_id
    known = {label.id for label in await select_readable(call, all_labels, *conditions, lock=True)}
    foreign = [path for path, key in labels.items() if key not in known]
    if foreign:
        raise Problem(VALIDATION_FAILED, errors=[FieldError(path, "not_found", NOT_THERE) for path in foreign])
    pairs = [{"item_id": item.id, "label_id": key, "workspace_id": item.workspace_id} for key in known]
    attached = insert(ItemLabel).values(pairs).on_conflict_do_nothing().returning(ItemLabel.label_id)
    return (await call.session.execute(attached)).first() is not None


async def _refuse_cycle(call: Call, item: Item, parent_id: UUID) -> None:
    """Raise `validation_failed` if the parent is the item itself or one of its descendants.

    The workspace is locked, so that two concurrent moves cannot create a cycle.
    """
    await lock_workspace(call, item.workspace_id)
    ancestors = select(Item.id, Item.parent_id).where(Item.id == parent_id).cte("above", recursive=True)
    ancestors = ancestors.union(select(Item.id, Item.parent_id).where(Item.id == ancestors.c.parent_id))
    if (await call.session.execute(select(ancestors.c.id).where(ancestors.c.id == item.id))).first():
        raise Problem.field("parent_id", "conflict", "An item cannot be below itself.")
