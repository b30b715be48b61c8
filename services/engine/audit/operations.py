"""What can be done with the audit: it is read. What is written into it comes from `services.engine.gateway`."""

from services.engine.audit.resource import audit_events

list_audit_events, get_audit_event = audit_events.list(), audit_events.get()
