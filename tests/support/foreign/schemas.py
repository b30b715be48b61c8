"""Milestones as they go in and out."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import Field

from services.catalogue import Deprecation, Identifier, InputModel, Instant, ReadModel
from services.identity.workspaces.schemas import WorkspaceID
from tests.support.foreign.models import Mood

MOOD = Deprecation(since=date(2026, 3, 1))
REACHED_AT = Deprecation(
    since=date(2026, 1, 1), sunset=date(2027, 7, 1), replacement="the audit", link="https://example.org/reached"
)
REACH = Deprecation(since=date(2026, 2, 1), sunset=date(2027, 1, 1), link="https://example.org/reach")


class MilestoneRead(ReadModel):
    """A milestone as the workspace's members see it."""

    id: Annotated[UUID, Identifier("mls")]
    workspace_id: WorkspaceID = Field(description="Whose it is.")
    name: str = Field(description="What it is called.")
    mood: Mood = Field(description="How it looks.")
    reached_at: Annotated[Instant | None, REACHED_AT] = Field(description="When it was reached.")


class MilestoneCreate(InputModel):
    """A new milestone."""

    workspace_id: WorkspaceID
    name: Annotated[str, Field(min_length=1, max_length=50)]
    mood: Annotated[Mood, MOOD] = Mood.CALM
