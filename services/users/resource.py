"""Users as a resource."""

from services.catalogue import Resource
from services.users.models import User
from services.users.policy import policy
from services.users.schemas import UserRead

users = Resource(
    "user", model=User, read=UserRead, prefix="usr", policy=policy,
    filters=["id", "email", "email_verified", "username", "full_name", "is_active", "is_superuser", "created_at"],
    sorts=["username", "full_name", "created_at"],
)  # fmt: skip
