from services.catalogue import Resource, many, one
from services.sample.comments.models import Comment, CommentFile
from services.sample.comments.policy import policy
from services.sample.comments.schemas import CommentRead

comments = Resource(
    "comment", model=Comment, read=CommentRead, prefix="cmt", policy=policy,
    relations=[
        one("item", reverse="comments"),
        one("author", reverse="comments"),
        many("files", through=CommentFile, reverse="comments"),
    ],
    filters=["id", "item_id", "author_id", "body", "created_at", "updated_at"],
    sorts=["created_at", "updated_at"], search=["body"],
)  # fmt: skip
