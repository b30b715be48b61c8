"""What mails say, whatever the names and addresses in them are."""

from __future__ import annotations

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest

from services.catalogue import new_key
from services.catalogue.jobs import PermanentError
from services.identity.mail.folder import KEPT, MailFolder
from services.identity.mail.messages import MAX_VALUE, TEMPLATES, MailKind, compose, one_line
from tests.services.identity.conftest import text_of

SENDER, TO = "Hybrid Gateway <gateway@example.com>", "ada@example.com"
FACTS = ("name", "hours", "at", "device", "address", "since", "inviter", "workspace", "role")
EVIL = "<script>x</script><img src=x> '&amp; {{ 7 * 7 }} {% raw %}"
LINK = "https://gateway.example.com/account/verify-email#token=abc"


def composed(kind: MailKind, value: str = "Ada", **more: str) -> EmailMessage:
    """A mail in which everything that comes from outside is this value, as it is read on the other side."""
    key, values = new_key(), dict.fromkeys(FACTS, value)
    made = compose(kind, key=key, **{"to": TO, "sender": SENDER, "product": value, "link": LINK, **more}, values=values)
    return message_from_bytes(made.as_bytes(), policy=default)


def test_each_mail_has_its_templates_and_there_are_no_others() -> None:
    shared = {"base.txt", "base.html", "button.html"}
    assert {each.name for each in TEMPLATES.iterdir()} - shared == {
        f"{kind}.{form}" for kind in MailKind for form in ("txt", "html")
    }


@pytest.mark.parametrize("kind", list(MailKind))
def test_html_in_values_is_text_in_both_parts(kind: MailKind) -> None:
    mail = composed(kind, EVIL)
    html = text_of(mail, "html")
    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;script&gt;" in html
    for part in ("plain", "html"):
        assert "49" not in text_of(mail, part)
        assert "{{ 7 * 7 }}" in text_of(mail, part)
    assert "<script>" in text_of(mail)


@pytest.mark.parametrize("kind", list(MailKind))
@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\u2028", "\x85", "\x0b"])
def test_line_breaks_in_values_begin_no_header_and_no_line(kind: MailKind, end: str) -> None:
    mail = composed(kind, f"Ada{end}Bcc: eve@example.com{end}{end}Hello\u202e")
    headers = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"]
    assert sorted(mail.keys()) == sorted(headers)
    lines = text_of(mail).splitlines()
    assert not any(line.startswith(("Bcc", "Hello\u202e")) for line in lines)
    assert "\u202e" not in text_of(mail)


@pytest.mark.parametrize("to", ["ada@example.com\r\nBcc: eve@example.com", "", "ada", "a@b@c.example.com", "ada@"])
def test_what_is_no_address_is_hopeless(to: str) -> None:
    with pytest.raises(PermanentError, match="cannot be written to"):
        composed(MailKind.VERIFY_EMAIL, to=to)


def test_mail_is_the_same_in_every_try() -> None:
    key = new_key()
    about = {"to": TO, "sender": SENDER, "product": "Gateway", "link": LINK}
    first, second = (
        compose(MailKind.RESET_PASSWORD, key=key, **about, values=dict.fromkeys(FACTS, "x")) for _ in range(2)
    )
    assert first["Message-ID"] == second["Message-ID"] == f"<{key.hex}@example.com>"
    assert first["Date"] == second["Date"]


def test_foreign_letters_come_through() -> None:
    mail = composed(MailKind.INVITATION, "Žofie 🐝", to="ada@bücher.example.com", sender="Größe <gateway@example.com>")
    assert mail["To"] == "ada@xn--bcher-kva.example.com"
    assert mail["From"] == "Größe <gateway@example.com>"
    assert mail["Subject"] == "Žofie 🐝 invites you to Žofie 🐝"
    assert "Žofie 🐝" in text_of(mail)


def test_values_are_short_and_links_are_whole() -> None:
    assert one_line("a" * 1_000) == "a" * MAX_VALUE
    link = f"https://gateway.example.com/{'a' * 300}#token=abc"
    for kind in ("plain", "html"):
        assert link in text_of(composed(MailKind.VERIFY_EMAIL, link=link), kind)


def test_folder_keeps_the_last_mails_whole(tmp_path: Path) -> None:
    folder, names = MailFolder(tmp_path / "mail"), [f"{number:032x}" for number in range(KEPT + 2)]
    for name in names:
        folder.keep(name, b"Subject: x\r\n\r\n")
    folder.keep(names[-1], b"Subject: again\r\n\r\n")
    assert folder.names() == sorted(names[2:], reverse=True)
    mail = folder.mail(names[-1])
    assert mail is not None
    assert mail["Subject"] == "again"
    assert len(list((tmp_path / "mail").iterdir())) == KEPT
    for name in ("../mail", names[0], "x", ".", f"{names[-1]}.eml", "%2e%2e"):
        assert folder.mail(name) is None


@pytest.mark.parametrize("fact", ["name", "device", "inviter", "workspace"])
@pytest.mark.parametrize("kind", list(MailKind))
def test_what_somebody_has_chosen_is_short_and_no_link(kind: MailKind, fact: str) -> None:
    value = "Win hTTps://evil.example WWW.evil.example wwwww.w.x ht://tp://x " + "y" * 100
    values = {**dict.fromkeys(FACTS, "Ada"), fact: value}
    made = compose(kind, key=new_key(), to=TO, sender=SENDER, product="Gateway", values=values)
    mail = message_from_bytes(made.as_bytes(), policy=default)
    for part in (str(mail["Subject"]), text_of(mail), text_of(mail, "html").partition("<body")[2]):
        assert "://" not in part
        assert "www." not in part.lower()
        assert "y" * 61 not in part
