from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal


class Verification(StrEnum):
    """Whether new users must verify their e-mail address."""

    OFF = "off"
    OPTIONAL = "optional"
    """They are asked to verify it."""
    REQUIRED = "required"
    """They cannot sign in before it is verified."""


@dataclass(frozen=True, slots=True)
class MailConfig:
    """Mail server, sender, and targets of links.

    Without a `host` mails are written to the `folder`; without either they cannot be sent. Without `is_on`, as when the
    catalogue lacks the job, no mails are enqueued.
    """

    is_on: bool = True
    host: str = ""
    port: int = 587
    username: str = ""
    password: str = field(default="", repr=False)
    security: Literal["starttls", "tls", "none"] = "starttls"
    timeout: float = 10
    sender: str = "gateway@localhost"
    product: str = "Hybrid Gateway"
    account_url: str = ""
    folder: Path | None = None
    verification: Verification = Verification.OPTIONAL
