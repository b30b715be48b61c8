from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class FilesConfig:
    """Limits of files. `idle_seconds` is how long an upload may send nothing, or a download may not be read."""

    max_bytes: int
    quota_bytes: int
    idle_seconds: float
    link_lifetime: timedelta
    pending_lifetime: timedelta
