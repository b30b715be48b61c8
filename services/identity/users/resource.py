from services.catalogue import Resource
from services.identity.users.models import User
from services.identity.users.policy import policy
from services.identity.users.schemas import UserRead

users = Resource(
    "user", model=User, read=UserRead, prefix="usr", policy=policy,
    filters=["id", "email", "email_verified", "username", "full_name", "is_active", "is_superuser", "created_at"],
    sorts=["username", "full_name", "created_at"],
)  # fmt: skip
