"""Policy of the audit: owners read the events of their workspaces, admins all. Nobody changes events."""

from services.catalogue import Policy
from services.identity.workspaces.models import Role
from services.identity.workspaces.policy import member

policy = Policy(read=member(Role.OWNER))
