from services.catalogue import Resource, one
from services.identity.auth.models import Session
from services.identity.auth.policy import policy
from services.identity.auth.schemas import SessionRead

sessions = Resource(
    "session", model=Session, read=SessionRead, prefix="ses", policy=policy,
    relations=[one("user")], filters=["id", "created_at", "last_used_at"], sorts=["created_at", "last_used_at"],
)  # fmt: skip
