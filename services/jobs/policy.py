"""Who may do what with jobs: admins everything, nobody else anything."""

from services.catalogue import Policy, nobody

policy = Policy(read=nobody, retry=nobody, delete=nobody)
