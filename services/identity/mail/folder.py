"""A folder that stores mails instead of sending them, as files in the format of RFC 5322."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Final

KEPT: Final = 200
"""Maximum number of mails in a folder; the oldest are deleted."""
_NAME: Final = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class MailFolder:
    """A folder of mails, whose names sort by time; the newest are first."""

    path: Path

    def keep(self, name: str, content: bytes) -> None:
        """Write a mail atomically under its name, replacing an earlier copy."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = self.path / f".{name}.{os.getpid()}"
        part.write_bytes(content)
        part.replace(self.path / f"{name}.eml")
        for old in self.names()[KEPT:]:
            (self.path / f"{old}.eml").unlink(missing_ok=True)

    def names(self) -> list[str]:
        return sorted((path.stem for path in self.path.glob("*.eml")), reverse=True)

    def mail(self, name: str) -> EmailMessage | None:
        if not _NAME.fullmatch(name):
            return None
        try:
            content = (self.path / f"{name}.eml").read_bytes()
        except FileNotFoundError:
            return None
        return message_from_bytes(content, policy=default)
