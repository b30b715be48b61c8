"""Mails to a real mail server (aiosmtpd): one that takes them, is down, is slow, refuses for now and for good."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from services.catalogue import ANONYMOUS
from services.identity.mail.jobs import Mail, deliver_mail
from services.identity.mail.messages import MailKind
from services.jobs.models import Job, JobState
from services.jobs.queue import enqueue
from tests.services.identity.conftest import PostOffice
from tests.support.server import free_port

logging.getLogger("mail.log").propagate = False  # the mail server's own log names recipients; ours must not

TO = "ada@example.com"


@dataclass
class Server:
    """A mail server that answers as it is told."""

    to_recipient: str = "250 OK"
    to_data: str = "250 OK"
    seconds: float = 0
    port: int = 0
    got: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, _: object) -> str:  # noqa: N802 - aiosmtpd's name
        """Answer to a recipient."""
        if self.seconds:
            await asyncio.sleep(self.seconds)
        envelope.rcpt_tos.append(address)
        return self.to_recipient

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - likewise
        """Take a mail."""
        assert isinstance(envelope.content, bytes)
        if self.to_data.startswith("250"):
            self.got.append(message_from_bytes(envelope.content, policy=default))
            self.recipients += envelope.rcpt_tos
        return self.to_data


@asynccontextmanager
async def listening(**options: Any) -> AsyncIterator[Server]:
    """A mail server in this loop, on a port of 127.0.0.1."""
    smtp = {name: options.pop(name) for name in [*options] if name.startswith("auth")}
    handler = Server(**options)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(handler, loop=loop, hostname="mail.test", **smtp), "127.0.0.1", 0)
    handler.port = server.sockets[0].getsockname()[1]
    try:
        yield handler
    finally:
        server.close()


async def sent(post: PostOffice, server: Server | None, tries: int = 1, **settings: Any) -> Job:
    """The job of a mail, after so many tries to send it."""
    async with post.gateway.unit_of_work(ANONYMOUS) as call:
        mail = Mail(kind=MailKind.PASSWORD_CHANGED, to=TO, name="ada", facts={"at": "today"})
        key = await enqueue(call, deliver_mail, mail)
    (job,) = [each for each in await post.waiting("deliver_mail", TO) if each.id == key]
    port = server.port if server is not None else free_port()
    about = {"host": "127.0.0.1", "port": port, "security": "none", "timeout": 5, **settings}
    for _ in range(tries):
        await post.runner(**about).run(job.id, job.ticket)
        job = await post.job(job)
    return job


async def test_mail_is_taken(post: PostOffice) -> None:
    async with listening() as server:
        job = await sent(post, server)
    assert (job.state, job.error) == (JobState.SUCCEEDED, None)
    (mail,) = server.got
    assert (mail["To"], server.recipients) == (TO, [TO])
    assert mail["Message-ID"] == f"<{job.id.hex}@localhost>"
    assert mail.get_content_type() == "multipart/alternative"
    assert not post.folder.exists()


async def test_second_try_is_the_same_mail(post: PostOffice) -> None:
    async with listening(to_data="451 Try again") as server:
        job = await sent(post, server, tries=2)
        assert (job.state, job.attempts) == (JobState.QUEUED, 2)
        assert job.error == "NotSentError: The mail server refuses the mail for now (451)."
        server.to_data = "250 OK"
        await post.runner(host="127.0.0.1", port=server.port, security="none").run(job.id, job.ticket)
    assert (await post.job(job)).state is JobState.SUCCEEDED
    assert [each["Message-ID"] for each in server.got] == [f"<{job.id.hex}@localhost>"]


@pytest.mark.parametrize(
    ("answers", "state", "error"),
    [
        (
            {"to_recipient": f"550 No {TO} here"}, JobState.FAILED,
            "The mail server refuses the recipient for good (550).",
        ),
        ({"to_data": f"554 Spam for {TO}"}, JobState.FAILED, "The mail server refuses the mail for good (554)."),
        (
            {"to_recipient": f"450 {TO} is full"}, JobState.QUEUED,
            "NotSentError: The mail server refuses the recipient for now (450).",
        ),
    ],
)  # fmt: skip
async def test_5xx_is_for_good_and_4xx_for_now_and_nobody_is_named(
    post: PostOffice, capfd: pytest.CaptureFixture[str], answers: dict[str, str], state: JobState, error: str
) -> None:
    async with listening(**answers) as server:
        job = await sent(post, server)
    assert (job.state, job.error, job.attempts) == (state, error, 1)
    assert server.got == []
    assert TO not in capfd.readouterr().err


async def test_server_that_is_down_is_tried_again(post: PostOffice) -> None:
    job = await sent(post, None)
    said = "NotSentError: The mail server cannot be reached, or falls silent (SMTPConnectError)."
    assert (job.state, job.error) == (JobState.QUEUED, said)


async def test_server_that_is_slow_is_tried_again(post: PostOffice) -> None:
    async with listening(seconds=30) as server:
        job = await sent(post, server, timeout=0.3)
    said = "NotSentError: The mail server cannot be reached, or falls silent (SMTPReadTimeoutError)."
    assert (job.state, job.error) == (JobState.QUEUED, said)


async def test_password_is_not_sent_without_tls_where_that_is_wanted(post: PostOffice) -> None:
    async with listening() as server:
        job = await sent(post, server, security="starttls", username="gateway", password="sesame")
    assert (job.state, server.got) == (JobState.QUEUED, [])
    assert job.error is not None
    assert job.error.startswith("NotSentError: ")


async def test_wrong_password_of_the_gateway_can_be_mended(post: PostOffice) -> None:
    def nobody(*_: object) -> AuthResult:
        return AuthResult(success=False, handled=False)

    async with listening(authenticator=nobody, auth_require_tls=False) as server:
        job = await sent(post, server, username="gateway", password="sesame")
    said = "NotSentError: The mail server says 535 to SMTPAuthenticationError."
    assert (job.state, job.error) == (JobState.QUEUED, said)


async def test_without_a_server_in_production_jobs_say_so(post: PostOffice) -> None:
    job = await sent(post, None, host="", folder=None)
    said = "There is no mail server: set SMTP_HOST, and try this job again."
    assert (job.state, job.error) == (JobState.FAILED, said)
