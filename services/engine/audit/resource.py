from services.catalogue import Resource, one
from services.engine.audit.models import AuditEvent
from services.engine.audit.policy import policy
from services.engine.audit.schemas import AuditEventRead

audit_events = Resource(
    "audit_event", model=AuditEvent, read=AuditEventRead, prefix="aud", policy=policy,
    relations=[one("user")],
    filters=[
        "id", "created_at", "user_id", "session_id", "key_id", "as_admin", "operation", "resource", "resource_id",
        "workspace_id", "caused_by", "request_id", "address", "outcome", "problem",
    ],
    sorts=["created_at", "operation"],
)  # fmt: skip
