from __future__ import annotations

from services.catalogue import Call, Problem
from services.files.attaching import attach, detach
from services.sample.comments.models import Comment, CommentFile
from services.sample.comments.resource import comments
from services.sample.comments.schemas import CommentCreate, CommentFileInput, CommentUpdate
from services.sample.items.models import Item
from services.sample.items.resource import items
from services.storage.constraints import NOT_THERE
from services.storage.rows import assign, select_readable

list_comments, get_comment, delete_comment = comments.list(), comments.get(), comments.delete()


@comments.create(statements=2)
async def create_comment(call: Call, data: CommentCreate) -> Comment:
    """Comment on an item."""
    rows = await select_readable(call, items, Item.id == data.item_id, lock=True)
    if not rows:
        raise Problem.field("item_id", "not_found", NOT_THERE)
    comment = Comment(workspace_id=rows[0].workspace_id, item_id=data.item_id, author_id=call.user_id, body=data.body)
    call.session.add(comment)
    return comment


@comments.update()
async def update_comment(call: Call, row: Comment, data: CommentUpdate) -> Comment:
    """Change one's own comment."""
    assign(row, data)
    return row


@comments.action("attach_file", emits="comment.file_attached", statements=3)
async def attach_comment_file(call: Call, row: Comment, data: CommentFileInput) -> Comment:
    """Attach a complete file to one's own comment. Attaching it again changes nothing."""
    if await attach(call, CommentFile, {"comment_id": row.id}, row.workspace_id, data.file_id):
        row.updated_at = call.now
    return row


@comments.action("detach_file", emits="comment.file_detached", statements=2)
async def detach_comment_file(call: Call, row: Comment, data: CommentFileInput) -> Comment:
    """Detach a file from one's own comment without deleting it. Detaching it again changes nothing."""
    if await detach(call, CommentFile, {"comment_id": row.id}, data.file_id):
        row.updated_at = call.now
    return row
