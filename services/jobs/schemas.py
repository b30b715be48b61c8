"""Jobs as they go out."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field

from services.catalogue import Identifier, Instant, ReadModel
from services.jobs.models import JobState

JobID = Annotated[UUID, Identifier("job")]


class JobRead(ReadModel):
    """Something that is done in the background, as admins see it."""

    id: JobID
    name: str = Field(description="What kind of job it is.", examples=["deliver_mail"])
    state: JobState = Field(description="How far it has come.")
    user_id: Annotated[UUID, Identifier("usr")] | None = Field(
        description="Whose call has asked for it; null for the gateway itself."
    )
    attempts: int = Field(description="How many tries have been begun.")
    error: str | None = Field(description="What went wrong in the last try.")
    created_at: Instant = Field(description="When it was asked for.")
    run_at: Instant = Field(description="When it is due.")
    started_at: Instant | None = Field(description="When its last try was begun.")
    finished_at: Instant | None = Field(description="When it was done, or given up.")
