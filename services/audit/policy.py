"""Who may read the audit: owners that of their workspaces, admins all of it. Nobody may change it."""

from services.catalogue import Policy
from services.workspaces.models import Role
from services.workspaces.policy import member

policy = Policy(read=member(Role.OWNER))
