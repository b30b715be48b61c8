"""Policy of invitations: owners of the workspace. Accepting requires only the mail."""

from services.catalogue import Policy
from services.identity.workspaces.models import Role
from services.identity.workspaces.policy import member

_owners = member(Role.OWNER)

policy = Policy(read=_owners, create=_owners, delete=_owners)
