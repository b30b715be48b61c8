from __future__ import annotations

from services.catalogue import Call
from services.identity.workspaces.operations import usual_workspace_id
from services.sample.labels.models import Label
from services.sample.labels.resource import labels
from services.sample.labels.schemas import LabelCreate, LabelUpdate
from services.storage.rows import assign

list_labels, get_label, delete_label = labels.list(), labels.get(), labels.delete()


@labels.create(statements=2, example={"name": "idea"})
async def create_label(call: Call, data: LabelCreate) -> Label:
    """Create a label in one of the caller's workspaces."""
    workspace_id = data.workspace_id or await usual_workspace_id(call)
    label = Label(workspace_id=workspace_id, name=data.name, color=data.color)
    call.session.add(label)
    return label


@labels.update()
async def update_label(call: Call, row: Label, data: LabelUpdate) -> Label:
    """Change a label's name or colour."""
    assign(row, data)
    return row


batch_labels = labels.batch(create_label, update_label, delete_label)
