"""Milestones as a resource: what a team outside this repository writes."""

from services.catalogue import Resource, one
from tests.support.foreign.models import Milestone
from tests.support.foreign.policy import policy
from tests.support.foreign.schemas import MilestoneRead

milestones = Resource(
    "milestone", model=Milestone, read=MilestoneRead, prefix="mls", policy=policy,
    relations=[one("workspace", reverse="milestones")],
    filters=["name", "mood", "reached_at"], sorts=["name", "reached_at"],
)  # fmt: skip
