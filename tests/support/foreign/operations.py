"""What can be done with milestones."""

from __future__ import annotations

from services.catalogue import Call
from tests.support.foreign.models import Milestone
from tests.support.foreign.resource import milestones
from tests.support.foreign.schemas import REACH, MilestoneCreate

list_milestones, get_milestone = milestones.list(), milestones.get()


@milestones.create()
async def create_milestone(call: Call, data: MilestoneCreate) -> Milestone:
    """Set a milestone in a workspace."""
    milestone = Milestone(workspace_id=data.workspace_id, name=data.name, mood=data.mood)
    call.session.add(milestone)
    return milestone


@milestones.action("reach", emits="milestone.reached", deprecated=REACH)
async def reach_milestone(call: Call, row: Milestone) -> Milestone:
    """Note that a milestone is reached."""
    row.reached_at = call.now
    return row
