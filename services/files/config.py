"""What the settings say about files."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class FilesConfig:
    """Bounds of files. `idle_seconds` is how long an upload may send nothing, and a download not be read."""

    max_bytes: int
    quota_bytes: int
    idle_seconds: float
    link_lifetime: timedelta
    pending_lifetime: timedelta
