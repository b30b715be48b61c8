"""Composition of mails from templates, as plain text and HTML (RFC 2046).

Values from outside (names, addresses, devices) are reduced to one line, and escaped in HTML. Headers are written by
Python's `email`, which refuses line breaks in them (RFC 5322).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from enum import StrEnum
from pathlib import Path
from typing import Final
from uuid import UUID

from email_validator import validate_email
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from services.catalogue.jobs import PermanentError

TEMPLATES: Final = Path(__file__).parent / "templates"
_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(TEMPLATES), autoescape=select_autoescape(["html"]), undefined=StrictUndefined,
    trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
)  # fmt: skip
MAX_VALUE: Final = 200
"""Maximum length of a value in a mail, in characters."""
MAX_CHOSEN: Final = 60
"""Maximum length of a value that a user has chosen, in characters."""
_CHOSEN: Final = frozenset({"name", "device", "inviter", "workspace"})
_LINK: Final = re.compile(r"\w*://|www\.", re.IGNORECASE)
_CONTROLS: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
"""Unicode categories of characters that are invisible or change how others are displayed."""


class MailKind(StrEnum):
    """Kinds of mail. Each has the templates `<name>.txt` and `<name>.html`; the subject is a block of the former."""

    VERIFY_EMAIL = "verify_email"
    CONFIRM_EMAIL = "confirm_email"
    EMAIL_CHANGED = "email_changed"
    RESET_PASSWORD = "reset_password"  # noqa: S105 - the name of a mail
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - likewise
    NEW_SIGN_IN = "new_sign_in"
    SESSION_REVOKED = "session_revoked"
    INVITATION = "invitation"


def compose(
    kind: MailKind, *, key: UUID, to: str, sender: str, product: str, link: str = "", values: Mapping[str, str]
) -> EmailMessage:  # fmt: skip
    """Compose a mail.

    `key` is that of the job that sends it, a UUIDv7. Message-ID and Date are derived from it, so that a second attempt
    sends the same mail. `link` is not shortened. Raise PermanentError for an address that a header cannot contain.
    """
    shown = {name: (without_links if name in _CHOSEN else one_line)(value) for name, value in values.items()}
    shown |= {"product": one_line(product), "link": link, "to": one_line(to)}
    text, html = (_TEMPLATES.get_template(f"{kind}.{form}") for form in ("txt", "html"))
    message = EmailMessage(policy=SMTP)
    try:
        name, address = parseaddr(sender)
        origin = message["From"] = Address(name, addr_spec=address)
        validated = validate_email(to, check_deliverability=False)
        message["To"] = Address(addr_spec=f"{validated.local_part}@{validated.ascii_domain}")
        message["Subject"] = one_line("".join(text.blocks["subject"](text.new_context(shown))))
    except (ValueError, HeaderParseError, IndexError):
        raise PermanentError("Its address cannot be written to.") from None
    message["Date"] = format_datetime(datetime.fromtimestamp((key.int >> 80) / 1000, UTC))
    message["Message-ID"] = f"<{key.hex}@{origin.domain or 'localhost'}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: suppresses automatic replies
    message.set_content(text.render(shown), cte="quoted-printable")
    message.add_alternative(html.render(shown), subtype="html", cte="quoted-printable")
    return message


def one_line(text: str) -> str:
    """Return text without line breaks and invisible characters, cut to `MAX_VALUE`."""
    spaced = "".join(" " if char.isspace() else char for char in text)
    visible = "".join(char for char in spaced if unicodedata.category(char) not in _CONTROLS)
    return " ".join(visible.split())[:MAX_VALUE]


def without_links(text: str) -> str:
    """Return text of a user as a short line in which nothing is recognised as a link, cut to `MAX_CHOSEN`."""
    return one_line(_LINK.sub(" ", one_line(text)))[:MAX_CHOSEN].rstrip()
