from services.catalogue import Resource
from services.jobs.models import Job
from services.jobs.policy import policy
from services.jobs.schemas import JobRead

jobs = Resource(
    "job", model=Job, read=JobRead, prefix="job", policy=policy,
    filters=["id", "name", "state", "user_id", "created_at", "run_at", "finished_at"],
    sorts=["created_at", "run_at", "finished_at"],
)  # fmt: skip
