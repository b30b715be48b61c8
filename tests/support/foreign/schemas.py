"""Milestones as they go in and out."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field

from services.catalogue import Identifier, InputModel, Instant, ReadModel
from services.workspaces.schemas import WorkspaceID
from tests.support.foreign.models import Mood


class MilestoneRead(ReadModel):
    """A milestone as the workspace's members see it."""

    id: Annotated[UUID, Identifier("mls")]
    workspace_id: WorkspaceID = Field(description="Whose it is.")
    name: str = Field(description="What it is called.")
    mood: Mood = Field(description="How it looks.")
    reached_at: Instant | None = Field(description="When it was reached.")


class MilestoneCreate(InputModel):
    """A new milestone."""

    workspace_id: WorkspaceID
    name: Annotated[str, Field(min_length=1, max_length=50)]
    mood: Mood = Mood.CALM
