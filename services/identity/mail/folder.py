"""Mails that are kept instead of sent: files of RFC 5322, the last ones only."""

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
"""The mails that a folder holds; older ones make room."""
_NAME: Final = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class MailFolder:
    """A folder of mails, by names whose order is that of time."""

    path: Path

    def keep(self, name: str, content: bytes) -> None:
        """Keep a mail under its name: a whole file or none, and once however often it is kept."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = self.path / f".{name}.{os.getpid()}"
        part.write_bytes(content)
        part.replace(self.path / f"{name}.eml")
        for old in self.names()[KEPT:]:
            (self.path / f"{old}.eml").unlink(missing_ok=True)

    def names(self) -> list[str]:
        """The names of the mails there are, the newest first."""
        found = (each.stem for each in self.path.glob("*.eml"))
        return sorted((each for each in found if _NAME.fullmatch(each)), reverse=True)

    def mail(self, name: str) -> EmailMessage | None:
        """A mail by its name; None if there is none."""
        if not _NAME.fullmatch(name):
            return None
        try:
            content = (self.path / f"{name}.eml").read_bytes()
        except FileNotFoundError:
            return None
        return message_from_bytes(content, policy=default)
