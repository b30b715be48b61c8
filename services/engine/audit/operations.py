"""Read operations of the audit. `services.engine.gateway` writes it."""

from services.engine.audit.resource import audit_events

list_audit_events, get_audit_event = audit_events.list(), audit_events.get()
