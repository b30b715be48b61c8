from services.catalogue import Resource, one
from services.files.models import File
from services.files.policy import policy
from services.files.schemas import FileRead

files = Resource(
    "file", model=File, read=FileRead, prefix="fil", policy=policy,
    relations=[one("workspace", reverse="files"), one("user", reverse="files")],
    filters=["id", "workspace_id", "user_id", "name", "size", "sha256", "media_type", "state", "created_at"],
    sorts=["name", "size", "created_at"],
)  # fmt: skip
