from services.catalogue import Resource, many, one
from services.sample.items.models import Item, ItemFile, ItemLabel
from services.sample.items.policy import policy
from services.sample.items.schemas import ItemRead

items = Resource(
    "item", model=Item, read=ItemRead, prefix="itm", policy=policy,
    relations=[
        one("workspace", reverse="items"),
        one("creator", reverse="created_items"),
        one("assignee", reverse="assigned_items"),
        one("parent", reverse="children"),
        many("labels", through=ItemLabel, reverse="items"),
        many("files", through=ItemFile, reverse="items"),
    ],
    filters=[
        "id", "workspace_id", "title", "status", "priority", "due_at", "creator_id", "assignee_id", "parent_id",
        "created_at", "updated_at",
    ],
    sorts=["title", "status", "priority", "due_at", "created_at", "updated_at"],
    search=["title", "description"],
)  # fmt: skip
