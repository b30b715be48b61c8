"""Who may read the audit: owners that of their workspaces, admins all of it. Nobody may change it."""

from services.catalogue import Policy
from services.identity.workspaces.models import Role
from services.identity.workspaces.policy import member

policy = Policy(read=member(Role.OWNER))
