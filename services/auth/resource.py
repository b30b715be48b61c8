"""Sessions as a resource."""

from services.auth.models import Session
from services.auth.policy import policy
from services.auth.schemas import SessionRead
from services.catalogue import Resource, one

sessions = Resource(
    "session", model=Session, read=SessionRead, prefix="ses", policy=policy,
    relations=[one("user")], filters=["id", "created_at", "last_used_at"], sorts=["created_at", "last_used_at"],
)  # fmt: skip
