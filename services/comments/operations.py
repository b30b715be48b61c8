"""What can be done with comments."""

from __future__ import annotations

from services.catalogue import Call, Problem
from services.comments.models import Comment
from services.comments.resource import comments
from services.comments.schemas import CommentCreate, CommentUpdate
from services.items.models import Item
from services.items.resource import items
from services.storage.constraints import NOT_THERE
from services.storage.rows import assign, readable

list_comments, get_comment, delete_comment = comments.list(), comments.get(), comments.delete()


@comments.create(statements=2)
async def create_comment(call: Call, data: CommentCreate) -> Comment:
    """Comment on an item."""
    found = await readable(call, items, Item.id == data.item_id, lock=True)
    if not found:
        raise Problem.field("item_id", "not_found", NOT_THERE)
    comment = Comment(workspace_id=found[0].workspace_id, item_id=data.item_id, author_id=call.user_id, body=data.body)
    call.session.add(comment)
    return comment


@comments.update()
async def update_comment(call: Call, row: Comment, data: CommentUpdate) -> Comment:
    """Change one's own comment."""
    assign(row, data)
    return row
