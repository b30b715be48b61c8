from services.catalogue import Resource, one
from services.identity.keys.models import ApiKey
from services.identity.keys.policy import policy
from services.identity.keys.schemas import ApiKeyRead

api_keys = Resource(
    "api_key", model=ApiKey, read=ApiKeyRead, prefix="key", policy=policy,
    relations=[one("user", reverse="api_keys"), one("workspace", reverse="api_keys")],
    filters=["id", "user_id", "workspace_id", "name", "created_at", "last_used_at", "expires_at"],
    sorts=["name", "created_at", "last_used_at", "expires_at"],
)  # fmt: skip
