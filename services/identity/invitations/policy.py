"""Who may do what with invitations: owners of the workspace. Whoever has the mail may accept."""

from services.catalogue import Policy
from services.identity.workspaces.models import Role
from services.identity.workspaces.policy import member

_owners = member(Role.OWNER)

policy = Policy(read=_owners, create=_owners, delete=_owners)
