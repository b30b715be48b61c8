from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field

from services.catalogue import Identifier, Instant, ReadModel
from services.jobs.models import JobState


class JobRead(ReadModel):
    """A background job, as admins see it."""

    id: Annotated[UUID, Identifier("job")]
    name: str = Field(description="The kind of job.", examples=["deliver_mail"])
    state: JobState = Field(description="The state of the job.")
    user_id: Annotated[UUID, Identifier("usr")] | None = Field(
        description="The user whose call enqueued it; null for the gateway itself."
    )
    attempts: int = Field(description="How many attempts have been started.")
    error: str | None = Field(description="The error of the last attempt.")
    created_at: Instant = Field(description="When it was enqueued.")
    run_at: Instant = Field(description="When it is due.")
    started_at: Instant | None = Field(description="When its last attempt was started.")
    finished_at: Instant | None = Field(description="When it succeeded or finally failed.")
