"""Policy of jobs: admins only."""

from services.catalogue import Policy, nobody

policy = Policy(read=nobody, retry=nobody, delete=nobody)
