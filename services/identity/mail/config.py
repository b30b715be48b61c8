"""What the mail noun needs to know about the process it runs in."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal

Security = Literal["starttls", "tls", "none"]


class Verification(StrEnum):
    """Whether those who sign up have to show that their address is theirs."""

    OFF = "off"
    OPTIONAL = "optional"
    """They are asked to."""
    REQUIRED = "required"
    """They cannot sign in before they have."""


@dataclass(frozen=True, slots=True)
class MailConfig:
    """Where mails go, whom they are from, and where their links lead.

    Without a `host` they are kept in the `folder`; with neither of them they cannot be sent. `is_on` is whether anybody
    is there to send them: without the job in the catalogue none is asked for.
    """

    is_on: bool = True
    host: str = ""
    port: int = 587
    username: str = ""
    password: str = field(default="", repr=False)
    security: Security = "starttls"
    timeout: float = 10
    sender: str = "gateway@localhost"
    product: str = "Hybrid Gateway"
    account_url: str = ""
    folder: Path | None = None
    verification: Verification = Verification.OPTIONAL

    @property
    def verifies(self) -> bool:
        """Whether those who sign up get a mail to verify their address by."""
        return self.is_on and self.verification is not Verification.OFF
